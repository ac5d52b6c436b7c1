import { describe, expect, it } from '@jest/globals';

import { Histogram } from '../../../lib/consume/tallies.js';

describe('the histogram of durations', () => {
  it('counts each duration in the first bucket that it fits into', () => {
    const histogram = new Histogram();
    for (const ms of [0, 1, 1.5, 99, 100, 4_000_000]) histogram.record(ms);
    const { count, sumMs, buckets } = histogram.snapshot();
    expect({ count, sumMs }).toEqual({ count: 6, sumMs: 4_000_201.5 });
    expect(buckets.filter((bucket) => bucket.count > 0)).toEqual([
      { upToMs: 1, count: 2 },
      { upToMs: 2, count: 1 },
      { upToMs: 100, count: 2 },
      { upToMs: Infinity, count: 1 },
    ]);
  });
});
