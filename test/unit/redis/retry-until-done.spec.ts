import { describe, expect, it } from '@jest/globals';
import { reconnectDelayMs } from '../../../lib/redis/connect/retry-until-done.js';

const delaysOf = (attempt: number): number[] =>
  Array.from({ length: 200 }, () => reconnectDelayMs(attempt));

describe('reconnectDelayMs', () => {
  it.each([
    [1, 50],
    [2, 100],
    [3, 200],
    [7, 3_200],
    [8, 5_000],
    [1_000_000, 5_000],
  ])('waits around the doubled time before attempt %d: %d ms', (attempt, middleMs) => {
    for (const delayMs of delaysOf(attempt)) {
      expect(delayMs).toBeGreaterThanOrEqual(Math.floor(middleMs * 0.75));
      expect(delayMs).toBeLessThanOrEqual(Math.ceil(middleMs * 1.25));
    }
  });

  it('varies, so that a fleet does not reconnect at once', () => {
    expect(new Set(delaysOf(8)).size).toBeGreaterThan(50);
  });

  it('never gives up', () => {
    expect(delaysOf(Number.MAX_SAFE_INTEGER).every((delayMs) => delayMs > 0)).toBe(true);
  });
});
