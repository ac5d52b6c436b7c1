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
  it('is what is left of the age that is kept', () => {
    expect(retentionHeadroom({ ...facts, maxAgeMs: 1_000 })).toBe(0.75);
    expect(retentionHeadroom({ ...facts, maxAgeMs: 100 })).toBe(0);
  });

  it('is what is left of the length that is kept', () => {
    expect(retentionHeadroom({ ...facts, maxLength: 100 })).toBe(0.75);
    expect(retentionHeadroom({ ...facts, maxLength: 200, isFirst: true })).toBe(0.5);
  });

  it('is the smaller of the two', () => {
    expect(retentionHeadroom({ ...facts, maxAgeMs: 1_000, maxLength: 50 })).toBe(0.5);
  });

  it('is not known without a limit, without anything unfinished, or where the lag is not known', () => {
    expect(retentionHeadroom(facts)).toBeUndefined();
    expect(
      retentionHeadroom({ ...facts, maxAgeMs: 1_000, unfinishedAgeMs: undefined }),
    ).toBeUndefined();
    expect(retentionHeadroom({ ...facts, maxLength: 100, lag: undefined })).toBeUndefined();
  });
});
