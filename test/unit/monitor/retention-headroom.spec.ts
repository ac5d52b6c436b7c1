import { describe, expect, it } from '@jest/globals';

import { retentionHeadroom } from '../../../lib/monitor/retention-headroom.js';

const facts = {
  maxAgeMs: undefined,
  maxLength: undefined,
  length: 100,
  unfinishedAgeMs: 250,
  isFirst: false,
  pending: 5,
  lag: 20,
};

describe('retention headroom', () => {
  it('is the share of the age limit that is left', () => {
    expect(retentionHeadroom({ ...facts, maxAgeMs: 1_000 })).toBe(0.75);
    expect(retentionHeadroom({ ...facts, maxAgeMs: 100 })).toBe(0);
  });

  it('is the share of the length limit that is left', () => {
    expect(retentionHeadroom({ ...facts, maxLength: 100 })).toBe(0.75);
    expect(retentionHeadroom({ ...facts, maxLength: 200, isFirst: true })).toBe(0.5);
  });

  it('is the smaller of the two', () => {
    expect(retentionHeadroom({ ...facts, maxAgeMs: 1_000, maxLength: 50 })).toBe(0.5);
  });

  it('is unknown without a limit, without unfinished entries, or if the lag is unknown', () => {
    expect(retentionHeadroom(facts)).toBeUndefined();
    expect(
      retentionHeadroom({ ...facts, maxAgeMs: 1_000, unfinishedAgeMs: undefined }),
    ).toBeUndefined();
    expect(retentionHeadroom({ ...facts, maxLength: 100, lag: undefined })).toBeUndefined();
  });
});
