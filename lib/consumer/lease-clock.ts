/** A moment, by two clocks: one that is never set, and one that goes on while the machine sleeps. */
export interface LeaseMoment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export const leaseClock = (): LeaseMoment => ({
  monotonicMs: performance.now(),
  wallMs: Date.now(),
});

/** How long ago a moment was, by the clock that shows more. */
export function elapsedMs(since: LeaseMoment): number {
  return Math.max(performance.now() - since.monotonicMs, Date.now() - since.wallMs);
}
