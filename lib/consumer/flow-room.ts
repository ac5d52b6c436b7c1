import type { ResolvedSubscription } from '../options/resolved-options.js';

/** What a stream's flow has to do now, in messages. */
export interface FlowLoad {
  /** In slots. */
  readonly taken: number;
  /** Read, and not in a slot yet. */
  readonly readAhead: number;
  /** How many of those read ahead will not be any more when what is asked for now is there. */
  readonly passing: number;
  /** How many may be read ahead, at the pace of late. */
  readonly mayWait: number;
  /** Read, and not settled. */
  readonly inFlight: number;
}

/** Lua takes about 8 000 arguments in one call, and a script may need two for each entry. */
const MOST_AT_ONCE = 1_000;

/** How many entries may be brought. */
export function roomFor(
  { taken, readAhead, passing, mayWait, inFlight }: FlowLoad,
  { concurrency, batchSize }: ResolvedSubscription,
): number {
  const held = taken + readAhead;
  // Nothing waits in memory for a Redis that does not take outcomes.
  if (inFlight - held > 2 * batchSize + concurrency) return 0;
  return Math.max(0, Math.min(MOST_AT_ONCE, concurrency + mayWait + passing - held));
}

/**
 * Whether a read is worth its round trip: not one for each message that ends, but once half of what may be read ahead
 * has been used up.
 */
export function isWorthARead(load: FlowLoad, options: ResolvedSubscription): boolean {
  const free = options.concurrency - load.taken;
  const few = Math.max(free - 1, Math.floor(load.mayWait / 2));
  return load.readAhead - load.passing <= few && roomFor(load, options) > 0;
}
