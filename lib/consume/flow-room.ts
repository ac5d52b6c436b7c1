import type { ResolvedSubscription } from '../options/resolved-options.js';

/** What a stream's flow has to do now, in messages. */
export interface FlowLoad {
  /** In slots. */
  readonly taken: number;
  /** Read, and not in a slot yet. */
  readonly readAhead: number;
  /** Whether handlers wait for nothing of late, and nothing else keeps what is read ahead from passing. */
  readonly passes: boolean;
  /** How many may be read ahead, at the pace of late. */
  readonly mayWait: number;
  /** Read, and not settled. */
  readonly inFlight: number;
}

/** Lua takes about 8 000 arguments in one call, and a script may need two for each entry. */
const MOST_AT_ONCE = 1_000;

/** Where all passes, one batch is on its way from Redis, one is reserved, and one runs. */
const PASSING = 3;
/** How many batches may wait for their outcome to be recorded; where all passes, outcomes wait for others to go along with. */
const UNRECORDED = { usually: 2, passing: 4 };

/** How many entries may be brought. */
export function roomFor(
  { taken, readAhead, passes, mayWait, inFlight }: FlowLoad,
  { concurrency, batchSize }: ResolvedSubscription,
): number {
  const held = taken + readAhead;
  // Nothing waits in memory for a Redis that does not take outcomes.
  const unrecorded = passes ? UNRECORDED.passing : UNRECORDED.usually;
  if (inFlight - held > unrecorded * batchSize + concurrency) return 0;
  const most = passes ? Math.min(MOST_AT_ONCE, batchSize) : MOST_AT_ONCE;
  const mayBeHeld = concurrency + (passes ? PASSING * batchSize : mayWait);
  return Math.max(0, Math.min(most, mayBeHeld - held));
}

/**
 * Whether a read is worth its round trip: not one for each message that ends, but once half of what may be read ahead
 * has been used up; where all passes, once there is room for a whole batch.
 */
export function isWorthARead(load: FlowLoad, options: ResolvedSubscription): boolean {
  if (load.passes) return roomFor(load, options) >= Math.min(MOST_AT_ONCE, options.batchSize);
  const free = options.concurrency - load.taken;
  const few = Math.max(free - 1, Math.floor(load.mayWait / 2));
  return load.readAhead <= few && roomFor(load, options) > 0;
}
