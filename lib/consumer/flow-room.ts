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

/** How many batches are held at the most where all that is read ahead passes: one that runs, one that is reserved, one that is read. */
const PASSING = 3;

/** How many entries may be brought. */
export function roomFor(
  { taken, readAhead, passes, mayWait, inFlight }: FlowLoad,
  { concurrency, batchSize }: ResolvedSubscription,
): number {
  const held = taken + readAhead;
  // Nothing waits in memory for a Redis that does not take outcomes.
  if (inFlight - held > (passes ? 5 : 2) * batchSize + concurrency) return 0;
  if (passes) return Math.max(0, Math.min(MOST_AT_ONCE, batchSize, concurrency + PASSING * batchSize - held));
  return Math.max(0, Math.min(MOST_AT_ONCE, concurrency + mayWait - held));
}

/**
 * Whether a read is worth its round trip: not one for each message that ends, but once half of what may be read ahead
 * has been used up.
 */
export function isWorthARead(load: FlowLoad, options: ResolvedSubscription): boolean {
  if (load.passes) return roomFor(load, options) >= options.batchSize;
  const free = options.concurrency - load.taken;
  const few = Math.max(free - 1, Math.floor(load.mayWait / 2));
  return load.readAhead <= few && roomFor(load, options) > 0;
}
