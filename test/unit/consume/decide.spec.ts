import { describe, expect, it } from '@jest/globals';

import {
  AT_MOST_ONCE,
  CRASHED,
  decide,
  decideUsedUp,
  type FailurePolicy,
  isUsedUp,
  type Outcome,
} from '../../../lib/consume/decide.js';
import type { Verdict } from '../../../lib/consume/handlers/run.js';
import { DeadLetterException, RetryException } from '../../../lib/errors/handler.errors.js';
import { MessageValidationError } from '../../../lib/errors/message.errors.js';
import { resolveServerOptions } from '../../../lib/options/resolve-options.js';
import type { RetryOptions } from '../../../lib/options/subscription-options.js';
import { aMessage } from '../../support/a-message.js';

const policy = (retry: RetryOptions = {}, more: Partial<FailurePolicy> = {}): FailurePolicy => ({
  triesAgain: true,
  retry: resolveServerOptions({ group: 'billing', retry }).subscription.retry,
  unhandled: 'dead-letter',
  ...more,
});
const once = policy({}, { triesAgain: false });

const error = new Error('no');
const failed = (thrown: unknown = error): Verdict => ({ kind: 'failed', error: thrown });
const event = aMessage('1-0');
const request = aMessage('1-0', 'r1', {
  request: { id: 'r1', inbox: 'inbox', timeoutMs: 1_000 },
});
const at = (attempt: number, message = event) => ({ ...message, attempt });

/** The outcome without what a test does not name. */
const kindOf = (outcome: Outcome): string =>
  outcome.kind === 'dead' ? `dead: ${outcome.reason}` : outcome.kind;

describe('what becomes of a message', () => {
  const invalid = new MessageValidationError('orders', 'amount is missing');
  const failedSchema = new MessageValidationError('orders', 'the schema failed', { cause: error });
  const rows: [
    string,
    Verdict,
    FailurePolicy,
    { request?: true; closing?: true; attempt?: number },
    string,
  ][] = [
    ['handled', { kind: 'handled' }, policy(), {}, 'handled'],
    ['handled while closing', { kind: 'handled' }, policy(), { closing: true }, 'handled'],
    ['abandoned', { kind: 'abandoned' }, policy(), { request: true }, 'abandoned'],
    ['unhandled', { kind: 'unhandled' }, policy(), {}, 'dead: no handler for the name "orders"'],
    [
      'unhandled, to be acknowledged',
      { kind: 'unhandled' },
      policy({}, { unhandled: 'ack' }),
      {},
      'unhandled',
    ],
    ['an unhandled request', { kind: 'unhandled' }, policy(), { request: true }, 'unhandled'],
    ['invalid', { kind: 'invalid', error: invalid }, policy(), {}, 'dead: amount is missing'],
    [
      'invalid while closing',
      { kind: 'invalid', error: invalid },
      policy(),
      { closing: true },
      'dead: amount is missing',
    ],
    [
      'its schema fails while closing',
      { kind: 'invalid', error: failedSchema },
      policy(),
      { closing: true },
      'give-back',
    ],
    [
      'its schema fails while closing, at most once',
      { kind: 'invalid', error: failedSchema },
      once,
      { closing: true },
      'dead: the schema failed',
    ],
    [
      'an invalid request',
      { kind: 'invalid', error: invalid },
      policy(),
      { request: true },
      'answered',
    ],
    ['failed', failed(), policy(), {}, 'retry'],
    [
      'failed the last time',
      failed(),
      policy({ maxAttempts: 3 }),
      { attempt: 3 },
      'dead: failed 3 time(s)',
    ],
    ['failed while closing', failed(), policy(), { closing: true }, 'give-back'],
    [
      'failed the last time while closing',
      failed(),
      policy({ maxAttempts: 3 }),
      { attempt: 3, closing: true },
      'give-back',
    ],
    ['failed at most once', failed(), once, {}, `dead: ${AT_MOST_ONCE}`],
    [
      'failed at most once while closing',
      failed(),
      once,
      { closing: true },
      `dead: ${AT_MOST_ONCE}`,
    ],
    [
      'a failed request that is tried once',
      failed(),
      policy({ maxAttempts: 1 }),
      { request: true },
      'answered',
    ],
    ['a failed request that is tried again', failed(), policy(), { request: true }, 'retry'],
    [
      'a failed request while closing',
      failed(),
      policy({ maxAttempts: 1 }),
      { request: true, closing: true },
      'answered',
    ],
    [
      'a failed request that is tried again, while closing',
      failed(),
      policy(),
      { request: true, closing: true },
      'give-back',
    ],
    ['DeadLetterException', failed(new DeadLetterException('never')), policy(), {}, 'dead: never'],
    [
      'DeadLetterException while closing',
      failed(new DeadLetterException('never')),
      policy(),
      { closing: true },
      'dead: never',
    ],
    [
      'DeadLetterException at most once',
      failed(new DeadLetterException('never')),
      once,
      {},
      'dead: never',
    ],
    [
      'DeadLetterException of a request',
      failed(new DeadLetterException('never')),
      policy(),
      { request: true },
      'dead: never',
    ],
    ['RetryException', failed(new RetryException({ delayMs: 7 })), policy(), {}, 'retry'],
    [
      'RetryException while closing',
      failed(new RetryException({ delayMs: 7 })),
      policy(),
      { closing: true },
      'retry',
    ],
    [
      'RetryException the last time',
      failed(new RetryException({ delayMs: 7 })),
      policy({ maxAttempts: 1 }),
      {},
      'dead: failed 1 time(s)',
    ],
    [
      'RetryException at most once',
      failed(new RetryException({ delayMs: 7 })),
      once,
      {},
      `dead: ${AT_MOST_ONCE}`,
    ],
    ['context.retry()', { kind: 'retry', delayMs: 7 }, policy(), {}, 'retry'],
    [
      'context.retry() while closing',
      { kind: 'retry', delayMs: 7 },
      policy(),
      { closing: true },
      'retry',
    ],
    [
      'context.retry() at most once',
      { kind: 'retry', delayMs: 7 },
      once,
      {},
      `dead: ${AT_MOST_ONCE}`,
    ],
    [
      'context.deadLetter()',
      { kind: 'dead-letter', reason: 'by hand', error: undefined },
      policy(),
      {},
      'dead: by hand',
    ],
    [
      'context.deadLetter() while closing',
      { kind: 'dead-letter', reason: 'by hand', error: undefined },
      policy(),
      { closing: true },
      'dead: by hand',
    ],
    [
      'context.deadLetter() of a request',
      { kind: 'dead-letter', reason: 'by hand', error: undefined },
      policy(),
      { request: true },
      'dead: by hand',
    ],
  ];

  it.each(rows)('%s', (_, verdict, its, { request: isRequest, closing, attempt = 1 }, expected) => {
    const message = at(attempt, isRequest === true ? request : event);
    expect(kindOf(decide(message, verdict, its, closing === true))).toBe(expected);
  });

  it('is retried in its slot if retries block', () => {
    const outcome = decide(event, failed(), policy({ blocking: true }), false);
    expect(outcome).toMatchObject({ kind: 'retry', inPlace: true });
    expect(decide(event, failed(), policy(), false)).toMatchObject({ inPlace: false });
  });

  it('does not count an attempt that did not run', () => {
    expect(decide(at(3), { kind: 'unhandled' }, policy(), false)).toMatchObject({ attempts: 2 });
    expect(decide(at(3), { kind: 'invalid', error: invalid }, policy(), false)).toMatchObject({
      attempts: 2,
    });
    expect(decide(at(3), failed(), policy({ maxAttempts: 3 }), false)).toMatchObject({
      attempts: 3,
    });
  });

  it('tells the caller of a request what filters made of the error', () => {
    const verdict: Verdict = { kind: 'failed', error, reply: 'filtered' };
    expect(decide(request, verdict, policy({ maxAttempts: 1 }), false)).toMatchObject({
      kind: 'answered',
      error,
      reply: 'filtered',
    });
  });

  it('is used up once it crashed in each of its attempts', () => {
    expect(isUsedUp(at(5), policy({ maxAttempts: 5 }))).toBe(false);
    expect(isUsedUp(at(6), policy({ maxAttempts: 5 }))).toBe(true);
    expect(isUsedUp(at(6), { ...once })).toBe(false);
    expect(decideUsedUp(at(6))).toMatchObject({ kind: 'dead', reason: CRASHED, attempts: 5 });
    expect(decideUsedUp(at(6, request))).toMatchObject({ kind: 'answered', attempts: 5 });
  });
});

describe('the wait before the next attempt', () => {
  const delays = (retry: RetryOptions, random = 0.5): unknown[] =>
    [1, 2, 3, 4, 5].map((attempt) => {
      const outcome = decide(
        at(attempt),
        failed(),
        policy({ maxAttempts: 100, ...retry }),
        false,
        random,
      );
      return outcome.kind === 'retry' ? outcome.delayMs : outcome.kind;
    });

  it('is fixed, grows by the same amount, or doubles', () => {
    const times = { delayMs: 100, maxDelayMs: 1_000 };
    expect(delays({ backoff: { type: 'fixed', ...times } })).toEqual([100, 100, 100, 100, 100]);
    expect(delays({ backoff: { type: 'linear', ...times } })).toEqual([100, 200, 300, 400, 500]);
    expect(delays({ backoff: { type: 'exponential', ...times } })).toEqual([
      100, 200, 400, 800, 900,
    ]);
  });

  it('is spread by the jitter in both directions', () => {
    const backoff = { type: 'fixed', delayMs: 1_000, jitter: 0.2 } as const;
    expect(delays({ backoff }, 0)[0]).toBe(800);
    expect(delays({ backoff }, 1)[0]).toBe(1_200);
  });

  it.each(['fixed', 'linear', 'exponential'] as const)(
    'is never longer than the longest wait, whatever the jitter: %s',
    (type) => {
      const backoff = { type, delayMs: 1_000, maxDelayMs: 1_000, jitter: 0.2 };
      expect(delays({ backoff }, 1)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
      expect(delays({ backoff }, 0)).toEqual([800, 800, 800, 800, 800]);
    },
  );

  it('stays finite after any number of attempts', () => {
    const its = policy({ maxAttempts: 1_000_000 });
    expect(decide(at(100_000), failed(), its, false, 1)).toMatchObject({ delayMs: 60_000 });
  });

  it('is what a RetryException says', () => {
    const thrown = failed(new RetryException({ delayMs: 7 }));
    expect(decide(event, thrown, policy(), false)).toMatchObject({ delayMs: 7 });
  });

  const IMPOSSIBLE = [
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e15,
    '7',
    undefined,
    {},
  ] as number[];

  it.each(IMPOSSIBLE)(
    'cannot be %p: RetryException throws, and says what is allowed',
    (delayMs) => {
      expect(() => new RetryException({ delayMs })).toThrow(
        /"RetryException.delayMs": given .*, allowed: a number of ms, 0 to 315360000000/,
      );
    },
  );

  it.each(IMPOSSIBLE)('is that of the policy if an exception was changed to %p', (delayMs) => {
    const thrown = failed(Object.assign(new RetryException({ delayMs: 7 }), { delayMs }));
    expect(decide(event, thrown, policy(), false, 0.5)).toMatchObject({
      delayMs: 1_000,
      fault: expect.stringContaining('a RetryException has delayMs '),
    });
  });

  it('is what a backoff function answers', () => {
    expect(delays({ backoff: (attempt) => attempt * 7 })).toEqual([7, 14, 21, 28, 35]);
    expect(delays({ backoff: () => 'dead-letter' })[0]).toBe('dead');
    const fine = decide(event, failed(), policy({ backoff: () => 7 }), false);
    expect(fine).not.toHaveProperty('fault');
  });

  it.each<[string, () => unknown, string]>([
    ['NaN', () => Number.NaN, 'returned NaN'],
    ['-1', () => -1, 'returned -1'],
    ['Infinity', () => Infinity, 'returned Infinity'],
    ['text', () => '1s', 'returned "1s"'],
    ['nothing', () => undefined, 'returned undefined'],
    ['a promise', () => Promise.reject(new Error('no')), 'returned [object Promise]'],
    [
      'an error',
      () => {
        throw new TypeError('bug in the policy');
      },
      'threw TypeError: bug in the policy',
    ],
  ])(
    'is the default one if a backoff function gives %s, and that is reported',
    (_, gives, fault) => {
      const backoff = gives as () => number;
      expect(delays({ backoff })).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
      expect(decide(event, failed(), policy({ backoff }), false)).toMatchObject({
        fault: `the backoff function ${fault}`,
      });
    },
  );
});
