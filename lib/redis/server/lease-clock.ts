/** A moment, by two clocks: one that is never set, and one that goes on while the machine sleeps. */
export interface LeaseMoment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export const leaseClock = (): LeaseMoment => ({
  monotonicMs: performance.now(),
  wallMs: Date.now(),
});

/**
 * How long ago a moment was, by the clock that shows more.
 *
 * @param monotonicMs what `performance.now()` shows, where it was just asked
 */
export function elapsedMs(since: LeaseMoment, monotonicMs = performance.now()): number {
  return Math.max(monotonicMs - since.monotonicMs, Date.now() - since.wallMs);
}
