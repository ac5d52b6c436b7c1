/** Up to how many milliseconds each bucket goes; the last one takes what is longer. */
const BOUNDS_MS = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
  3_600_000,
] as const;

/** How long things took, as counts by duration. */
export interface DurationHistogram {
  /** How many there were, all together. */
  readonly count: number;
  readonly sumMs: number;
  /** Each with how many took as long as `upToMs` at the most, and longer than the one before; `Infinity` is the last. */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[];
}

/** Counts durations, at the cost of one increment each. */
export class Histogram {
  private readonly counts: number[] = Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  private count = 0;
  private sumMs = 0;

  record(ms: number): void {
    let at = 0;
    while (at < BOUNDS_MS.length && ms > (BOUNDS_MS[at] ?? Infinity)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.count++;
    this.sumMs += ms;
  }

  snapshot(): DurationHistogram {
    const { count, sumMs } = this;
    const buckets = this.counts.map((its, at) => ({
      upToMs: BOUNDS_MS[at] ?? Infinity,
      count: its,
    }));
    return { count, sumMs, buckets };
  }
}
