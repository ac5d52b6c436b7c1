import { describe, expect, it } from '@jest/globals';

import { DeadLetterException, RetryException } from '../../../lib/errors/handler.errors.js';
import { resolveServerOptions } from '../../../lib/options/resolve-options.js';
import type { ResolvedRetry } from '../../../lib/options/resolved-options.js';
import type { RetryOptions } from '../../../lib/options/subscription-options.js';
import { nextStep } from '../../../lib/consume/retry-policy.js';

const resolved = (retry: RetryOptions): ResolvedRetry =>
  resolveServerOptions({ group: 'billing', retry }).subscription.retry;
const error = new Error('no');
const delays = (retry: RetryOptions, random = 0.5): unknown[] =>
  [1, 2, 3, 4, 5].map((attempt) => {
    const step = nextStep(resolved({ maxAttempts: 100, ...retry }), attempt, error, random);
    return step.kind === 'retry' ? step.delayMs : step.kind;
  });

describe('nextStep', () => {
  it('waits as long each time, longer by as much, or twice as long', () => {
    const times = { delayMs: 100, maxDelayMs: 1_000 };
    expect(delays({ backoff: { type: 'fixed', ...times } })).toEqual([100, 100, 100, 100, 100]);
    expect(delays({ backoff: { type: 'linear', ...times } })).toEqual([100, 200, 300, 400, 500]);
    expect(delays({ backoff: { type: 'exponential', ...times } })).toEqual([
      100, 200, 400, 800, 1_000,
    ]);
  });

  it('spreads the wait by the jitter, both ways', () => {
    const backoff = { type: 'fixed', delayMs: 1_000, jitter: 0.2 } as const;
    expect(delays({ backoff }, 0)[0]).toBe(800);
    expect(delays({ backoff }, 1)[0]).toBe(1_200);
  });

  it('stays finite after any number of attempts', () => {
    const step = nextStep(resolved({ maxAttempts: 1_000_000 }), 100_000, error, 0.5);
    expect(step).toEqual({ kind: 'retry', delayMs: 60_000 });
  });

  it('ends after the last attempt, whatever was thrown', () => {
    const retry = resolved({ maxAttempts: 3 });
    expect(nextStep(retry, 2, error).kind).toBe('retry');
    expect(nextStep(retry, 3, error)).toMatchObject({ kind: 'dead-letter' });
    expect(nextStep(retry, 3, new RetryException({ delayMs: 1 })).kind).toBe('dead-letter');
  });

  it('does what the exceptions say', () => {
    const retry = resolved({});
    expect(nextStep(retry, 1, new RetryException({ delayMs: 7 }))).toEqual({
      kind: 'retry',
      delayMs: 7,
    });
    expect(nextStep(retry, 1, new DeadLetterException('never'))).toEqual({
      kind: 'dead-letter',
      reason: 'never',
    });
  });

  it('waits by policy where an exception asks for a time that is none', () => {
    for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const step = nextStep(resolved({}), 1, new RetryException({ delayMs }), 0.5);
      expect(step).toEqual({ kind: 'retry', delayMs: 1_000 });
    }
  });

  it('asks a backoff function, and does not fall for what is no answer', () => {
    expect(delays({ backoff: (attempt) => attempt * 7 })).toEqual([7, 14, 21, 28, 35]);
    expect(delays({ backoff: () => 'dead-letter' })[0]).toBe('dead-letter');
    expect(delays({ backoff: () => Number.NaN })[0]).toBe(60_000);
    const throws = (): number => {
      throw new Error('bug in the policy');
    };
    expect(delays({ backoff: throws })[0]).toBe(60_000);
  });
});
