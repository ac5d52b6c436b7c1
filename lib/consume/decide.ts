import { types } from 'node:util';
import {
  DeadLetterException,
  isDecision,
  isDelay,
  RetryException,
} from '../errors/handler.errors.js';
import { thrownText } from '../errors/thrown-text.js';
import { cutText, isA, propertyOf, textOf } from '../errors/thrown.js';
import { inOwnContext } from '../events/async-context.js';
import { DEFAULTS, type ResolvedRetry } from '../options/resolved-options.js';
import type { BackoffFunction, BackoffOptions } from '../options/subscription-options.js';
import { errorText } from '../redis/server/redis-errors.js';
import { refusedStep } from './consumer.messages.js';
import type { Verdict } from './handlers/run.js';
import type { Message } from './message.js';

/** What is recorded of a message. */
export type Outcome =
  | { readonly kind: 'handled' | 'unhandled' | 'abandoned' }
  /** A request failed, and its caller is told: nobody else has to deal with it. */
  | {
      readonly kind: 'answered';
      readonly error: unknown;
      readonly reply: unknown;
      readonly attempts: number;
    }
  | {
      readonly kind: 'retry';
      readonly delayMs: number;
      readonly inPlace: boolean;
      readonly error: unknown;
      /** Why the delay is that of the default backoff, if user code asked for what is no delay. */
      readonly fault?: string | undefined;
    }
  | {
      readonly kind: 'dead';
      readonly reason: string;
      readonly error: unknown;
      readonly attempts: number;
      /** What the caller of a request is told. */
      readonly reply: unknown;
    }
  /** It did not start, or failed because the app is closing. */
  | { readonly kind: 'give-back'; readonly error?: unknown };

/** What becomes of messages that fail. */
export interface FailurePolicy {
  /** Whether failed messages are tried again at all. At-most-once has acknowledged them before they ran. */
  readonly triesAgain: boolean;
  readonly retry: ResolvedRetry;
  readonly unhandled: 'ack' | 'dead-letter';
}

export const CRASHED = 'its attempts did not end: the process died or was stopped each time';
export const AT_MOST_ONCE = 'failed, and at-most-once tries once';
const BACKOFF_SAID_SO = "the backoff function said 'dead-letter'";

const noHandler = (name: string): string => `no handler for the name ${JSON.stringify(name)}`;
const attemptsUsedUp = (attempts: number): string => `failed ${attempts} time(s)`;

export const GIVE_BACK: Outcome = { kind: 'give-back' };
const HANDLED: Outcome = { kind: 'handled' };
const UNHANDLED: Outcome = { kind: 'unhandled' };
const ABANDONED: Outcome = { kind: 'abandoned' };

export type DeadOutcome = Extract<Outcome, { kind: 'dead' }>;

type Decided = Pick<Message, 'attempt' | 'request' | 'envelope'>;

/**
 * Decides what becomes of a message, from the verdict of its handlers.
 *
 * @param isClosing whether the app is closing. A failure may then be caused by that, and is not charged; what a handler
 *   decided itself is done all the same
 * @param random a number from 0 to 1
 */
export function decide(
  message: Decided,
  verdict: Verdict,
  policy: FailurePolicy,
  isClosing: boolean,
  random?: number,
): Outcome {
  const { attempt, request } = message;
  switch (verdict.kind) {
    case 'handled':
      return HANDLED;
    case 'abandoned':
      return ABANDONED;
    case 'unhandled':
      // Another group may have a handler for a request.
      if (request !== undefined || policy.unhandled === 'ack') return UNHANDLED;
      return dead(noHandler(message.envelope.name), undefined, attempt - 1);
    case 'invalid': {
      const { error } = verdict;
      // What the schema needs may have been closed already.
      if (isClosing && error.cause !== undefined && policy.triesAgain) {
        return { kind: 'give-back', error };
      }
      // It did not run, so this attempt does not count.
      if (request === undefined) return dead(error.reason, error, attempt - 1);
      return { kind: 'answered', error, reply: error, attempts: attempt - 1 };
    }
    default:
      return afterFailure(message, verdict, policy, isClosing, random);
  }
}

/** What becomes of a message that used up its attempts without an error: its process died each time, or was stopped. */
export function decideUsedUp({ attempt, request }: Decided): Outcome {
  const attempts = attempt - 1;
  if (request === undefined) return dead(CRASHED, undefined, attempts);
  const error = new Error(CRASHED);
  return { kind: 'answered', error, reply: error, attempts };
}

/** Whether a message has no attempt left before it starts. */
export const isUsedUp = ({ attempt }: Decided, { triesAgain, retry }: FailurePolicy): boolean =>
  triesAgain && attempt > retry.maxAttempts;

/** What becomes of a message for which Redis refused a step, for good. */
export function decideRefused({ refusal, attempt }: Message, step: string): DeadOutcome {
  return dead(refusedStep(step, errorText(refusal)), refusal, attempt, refusal);
}

type Failure = Extract<Verdict, { kind: 'failed' | 'retry' | 'dead-letter' }>;

/** What a failed run threw. */
export const errorOf = (verdict: Failure): unknown =>
  verdict.kind === 'retry' ? new RetryException({ delayMs: verdict.delayMs }) : verdict.error;

function afterFailure(
  { attempt, request }: Decided,
  verdict: Failure,
  policy: FailurePolicy,
  isClosing: boolean,
  random?: number,
): Outcome {
  const { triesAgain, retry } = policy;
  const error = errorOf(verdict);
  const mayRunAgain = triesAgain && (request === undefined || retry.maxAttempts > 1);
  if (isClosing && mayRunAgain && !isOwnDecision(verdict)) return { kind: 'give-back', error };
  const next =
    verdict.kind === 'dead-letter' ? verdict.reason : nextAttempt(policy, attempt, error, random);
  if (typeof next !== 'string') return { kind: 'retry', inPlace: retry.blocking, error, ...next };
  const reply = (verdict.kind === 'failed' ? verdict.reply : undefined) ?? error ?? new Error(next);
  const isDeadLetter = verdict.kind === 'dead-letter' || isA(error, DeadLetterException);
  if (request === undefined || isDeadLetter) return dead(next, error, attempt, reply);
  return { kind: 'answered', error, reply, attempts: attempt };
}

/** Whether the handler itself said what becomes of its message: by hand, or by what it threw. */
const isOwnDecision = (verdict: Failure): boolean =>
  verdict.kind !== 'failed' || isDecision(verdict.error);

const dead = (reason: string, error: unknown, attempts: number, reply?: unknown): DeadOutcome => ({
  kind: 'dead',
  reason,
  error,
  attempts,
  reply,
});

interface Delay {
  readonly delayMs: number;
  readonly fault?: string;
}

/** @returns when the next attempt is due, or why there is none */
function nextAttempt(
  { triesAgain, retry }: FailurePolicy,
  attempt: number,
  error: unknown,
  random = Math.random(),
): Delay | string {
  if (isA(error, DeadLetterException)) return reasonOf(error);
  if (!triesAgain) return AT_MOST_ONCE;
  if (attempt >= retry.maxAttempts) return attemptsUsedUp(attempt);
  const { backoff } = retry;
  const [ask, policy] =
    typeof backoff === 'function' ? [backoff, DEFAULTS.backoff] : [undefined, backoff];
  const asked = isA(error, RetryException) ? askedBy(error) : ask && answerOf(ask, attempt, error);
  if (asked === 'dead-letter') return BACKOFF_SAID_SO;
  if (typeof asked === 'number') return { delayMs: asked };
  return { delayMs: delayAfter(policy, attempt, random), ...asked };
}

/** A `DeadLetterException` may have been given anything as its reason. */
function reasonOf(error: DeadLetterException): string {
  const reason = propertyOf(error, 'reason');
  return typeof reason === 'string' ? reason : thrownText(error);
}

/** What user code asks for, or why that is no delay. */
type Asked = number | 'dead-letter' | { readonly fault: string };

function askedBy(error: RetryException): Asked {
  const delayMs = propertyOf(error, 'delayMs');
  return isDelay(delayMs) ? delayMs : { fault: `a RetryException has delayMs ${shown(delayMs)}` };
}

/** A backoff function that throws, or gives no delay, must not lose the message. */
function answerOf(backoff: BackoffFunction, attempt: number, error: unknown): Asked {
  try {
    const answer: unknown = inOwnContext(() => backoff(attempt, error));
    if (answer === 'dead-letter' || isDelay(answer)) return answer;
    // Nobody else handles its rejection.
    if (types.isPromise(answer)) answer.catch(() => undefined);
    return { fault: `the backoff function returned ${shown(answer)}` };
  } catch (thrown) {
    return { fault: `the backoff function threw ${thrownText(thrown)}` };
  }
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(cutText(value, 100)) : cutText(textOf(value), 100);

/** Neither growth nor jitter exceeds the longest wait. */
function delayAfter(
  { type, delayMs, maxDelayMs, jitter }: Required<BackoffOptions>,
  attempt: number,
  random: number,
): number {
  const grown = {
    fixed: delayMs,
    linear: delayMs * attempt,
    // 2 to the 40th exceeds any longest wait, and the number stays finite.
    exponential: delayMs * 2 ** Math.min(attempt - 1, 40),
  }[type];
  const middle = Math.min(maxDelayMs, grown);
  const shortest = middle * (1 - jitter);
  const longest = Math.min(maxDelayMs, middle * (1 + jitter));
  return Math.round(shortest + (longest - shortest) * random);
}
