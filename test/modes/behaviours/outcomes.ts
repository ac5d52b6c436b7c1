import { expect } from '@jest/globals';

import {
  DeadLetterException,
  HandlerTimeoutError,
  RetryException,
  type SubscriptionOptions,
} from '../../../lib/index.js';
import { ANYTHING } from '../../support/anything.js';
import { bodies } from '../payload.js';
import type { Cell } from '../cell.js';
import type { Run, Work } from '../runs.js';
import { expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 6;
/** The message that fails. */
const BAD = 1;
const MAX_ATTEMPTS = 3;
const LATER_MS = 300;

const attemptsOf = (cell: Cell): number[] => cell.runs.of(BAD).map(({ attempt }) => attempt);

/** The log says what happens to a failed message. */
const FAILURES = [/attempt/, /dead letter/, /is answered with an error/];

async function runs(
  cell: Cell,
  work: Work,
  handled: number,
  { asked = false, ...more }: SubscriptionOptions & { asked?: boolean } = {},
): Promise<void> {
  cell.expectLog(...FAILURES);
  await cell.publish(bodies(COUNT));
  await cell.member((run, context) => (run.n === BAD ? work(run, context) : undefined), more);
  await expectSettled(cell, { handled, failed: COUNT - handled, asked });
  const others = cell.runs.all.filter(({ n }) => n !== BAD);
  expect(others.map(({ attempt }) => attempt)).toEqual(Array(COUNT - 1).fill(1));
  expectOrder(cell, cell.promises.orderThroughRetry ? undefined : others);
}

/** If the mode has retries, it is tried again and then handled; otherwise it is dead-lettered. */
async function expectSecondAttempt(
  cell: Cell,
  work: Work,
  more: SubscriptionOptions = {},
): Promise<void> {
  const { retries } = cell.promises;
  await runs(cell, work, retries ? COUNT : COUNT - 1, more);
  expect(attemptsOf(cell)).toEqual(retries ? [1, 2] : [1]);
}

/** It is dead-lettered after its first attempt, for this reason. */
async function expectGivenUp(cell: Cell, work: Work, reason: string): Promise<void> {
  await runs(cell, work, COUNT - 1, { asked: true });
  expect(attemptsOf(cell)).toEqual([1]);
  await expectDeadLetter(cell, { attempts: 1, reason: expect.stringContaining(reason) }, true);
}

async function expectDeadLetter(cell: Cell, expected: object, asked = false): Promise<void> {
  const { replies, deadLetters } = cell.promises;
  if (replies) expect(cell.replies.get(BAD)).toHaveProperty('error');
  if (!deadLetters && !asked) return;
  expect(await cell.listDeadLetters()).toMatchObject([{ payload: { n: BAD }, ...expected }]);
}

const onFirst =
  (fail: Work): Work =>
  (run, context) =>
    run.attempt === 1 ? fail(run, context) : undefined;
const wait = (cell: Cell): number => {
  const [first, second] = cell.runs.of(BAD);
  return Number(second?.startedAt) - Number(first?.endedAt);
};
const thrown = (error: () => Error) => (): never => {
  throw error();
};

export const throwsOnce: Behaviour = {
  name: 'a handler that throws once is tried again',
  shown: (cell) => expectSecondAttempt(cell, onFirst(thrown(() => new Error('once')))),
};

export const throwsAlways: Behaviour = {
  name: 'a handler that always throws gets its attempts, and then a dead letter',
  shown: async (cell) => {
    const attempts = cell.promises.retries ? MAX_ATTEMPTS : 1;
    await runs(
      cell,
      thrown(() => new TypeError('always')),
      COUNT - 1,
    );
    expect(attemptsOf(cell)).toEqual([1, 2, 3].slice(0, attempts));
    const error = { name: 'TypeError', message: 'always' };
    await expectDeadLetter(cell, { attempts, error });
  },
};

/** Some of what can be thrown, as far as it can be told from a log of all modes. */
const VALUES = [
  'undefined',
  'an object whose message has no prototype',
  'an error with getters that throw',
  'a Proxy that throws',
  'a revoked Proxy',
  'an error that is its own cause',
].map((name) => new Map(ANYTHING).get(name));

export const throwsAnything: Behaviour = {
  name: 'anything can be thrown, and each message gets its outcome',
  shown: async (cell) => {
    const failed = VALUES.length;
    cell.expectLog(...FAILURES);
    await cell.publish(bodies(failed + 1));
    await cell.member(({ n }) => {
      const value = VALUES[n];
      if (value !== undefined) throw value();
    }, ONE_ATTEMPT);
    await expectSettled(cell, { handled: 1, failed });
    const { replies, deadLetters } = cell.promises;
    const answers = VALUES.map((_, n) => cell.replies.get(n));
    if (replies) for (const answer of answers) expect(answer).toHaveProperty('error');
    if (!deadLetters) return;
    const letters = await cell.listDeadLetters();
    expect(letters.map(({ error }) => error?.name).sort()).toEqual(
      ['Error', 'Error', 'Error', 'object', 'object', 'object'].sort(),
    );
  },
};

const ONE_ATTEMPT: SubscriptionOptions = { retry: { maxAttempts: 1 } };

export const throwsRetry: Behaviour = {
  name: 'RetryException is applied',
  shown: async (cell) => {
    const fail = thrown(() => new RetryException({ delayMs: LATER_MS }));
    await expectSecondAttempt(cell, onFirst(fail));
    if (cell.promises.retries) expect(wait(cell)).toBeGreaterThanOrEqual(LATER_MS - 5);
  },
};

export const throwsDeadLetter: Behaviour = {
  name: 'DeadLetterException is applied',
  shown: (cell) =>
    expectGivenUp(
      cell,
      thrown(() => new DeadLetterException('no use')),
      'no use',
    ),
};

export const acksByHand: Behaviour = {
  name: 'context.ack() is applied, whatever the handler throws then',
  shown: async (cell) => {
    await runs(
      cell,
      (_, context) => {
        context.ack();
        throw new Error('after it was settled');
      },
      COUNT,
    );
    expect(attemptsOf(cell)).toEqual([1]);
  },
};

export const retriesByHand: Behaviour = {
  name: 'context.retry() is applied',
  shown: async (cell) => {
    await expectSecondAttempt(
      cell,
      onFirst((_, context) => context.retry({ delayMs: LATER_MS })),
    );
    if (cell.promises.retries) expect(wait(cell)).toBeGreaterThanOrEqual(LATER_MS - 5);
  },
};

export const deadLettersByHand: Behaviour = {
  name: 'context.deadLetter() is applied',
  shown: (cell) => expectGivenUp(cell, (_, context) => context.deadLetter('by hand'), 'by hand'),
};

/** Longer than any handler here needs, however busy the machine is. */
const TIMEOUT_MS = 1_500;

export const timesOut: Behaviour = {
  name: 'handlerTimeoutMs ends an attempt, and the next one begins',
  shown: async (cell) => {
    const hang = ({ signal }: Run): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    await expectSecondAttempt(cell, onFirst(hang), { handlerTimeoutMs: TIMEOUT_MS });
    expect(cell.runs.of(BAD)[0]?.signal.reason).toBeInstanceOf(HandlerTimeoutError);
  },
};
