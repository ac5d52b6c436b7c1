import type { ResolvedSubscription } from '../options/resolved-options.js';

/** How much of one stream this consumer has, in messages. */
export interface Load {
  /** Running, or waiting in a slot for a blocking retry. */
  readonly taken: number;
  /** Read, and not in a slot yet. */
  readonly readAhead: number;
  /** Whether handlers do not wait, so that all that is read ahead will have run before a read can answer. */
  readonly runsAtOnce: boolean;
  /** How many may be read ahead, at the recent pace. */
  readonly mayWait: number;
  /** Read, and not settled. */
  readonly inFlight: number;
}

type Limits = Pick<ResolvedSubscription, 'concurrency' | 'batchSize'>;

/** Lua takes about 8 000 arguments in one call, and a script may need two for each entry. */
export const MOST_AT_ONCE = 1_000;

/** If handlers do not wait, one batch is on its way from Redis, one is reserved, and one runs. */
const BATCHES_AT_ONCE = 3;
/** How many batches may wait to be recorded. If handlers do not wait, outcomes wait for others to share a write with. */
const UNRECORDED_BATCHES = { usually: 2, atOnce: 4 };

/** How many more entries may be read. */
export function roomFor(load: Load, { concurrency, batchSize }: Limits): number {
  const { taken, readAhead, runsAtOnce, mayWait, inFlight } = load;
  const held = taken + readAhead;
  // If Redis does not take outcomes, they do not pile up in memory.
  const unrecorded = runsAtOnce ? UNRECORDED_BATCHES.atOnce : UNRECORDED_BATCHES.usually;
  if (inFlight - held > unrecorded * batchSize + concurrency) return 0;
  const most = runsAtOnce ? Math.min(MOST_AT_ONCE, batchSize) : MOST_AT_ONCE;
  const mayBeHeld = concurrency + (runsAtOnce ? BATCHES_AT_ONCE * batchSize : mayWait);
  return Math.max(0, Math.min(most, mayBeHeld - held));
}

/**
 * Whether a read is worth its round trip: not for each message that ends, but once half of what may be read ahead is used up.
 * If handlers do not wait, once there is room for a whole batch.
 */
export function isWorthARead(load: Load, limits: Limits): boolean {
  if (load.runsAtOnce) return roomFor(load, limits) >= Math.min(MOST_AT_ONCE, limits.batchSize);
  const free = limits.concurrency - load.taken;
  const few = Math.max(free - 1, Math.floor(load.mayWait / 2));
  return load.readAhead <= few && roomFor(load, limits) > 0;
}
