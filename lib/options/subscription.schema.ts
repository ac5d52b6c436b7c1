import { z } from 'zod';
import {
  count,
  LONGEST_MS,
  object,
  timerMs,
  trueOrFalse,
  wholeNumber,
  windowMs,
} from './option-kinds.js';
import { DEFAULTS } from './resolved-options.js';
import { startPosition, STARTS } from './start-from.js';

const shareError = 'a number from 0 to 1';
const shareOfOne = z
  .number({ error: shareError })
  .min(0, { error: shareError })
  .max(1, { error: shareError })
  .optional();
const MOST_ATTEMPTS = 1_000_000;
const delayMs = wholeNumber(0, 2_147_483_647, ' of ms').optional();
const MOST_DELAY = DEFAULTS.backoff.maxDelayMs;
const backoffError = 'an object with type, delayMs, maxDelayMs, jitter, or a function';
const backoff = object(
  {
    type: z
      .enum(['fixed', 'linear', 'exponential'], {
        error: "'fixed', 'linear' or 'exponential'",
      })
      .optional(),
    delayMs,
    maxDelayMs: delayMs,
    jitter: shareOfOne,
  },
  backoffError,
).refine(({ delayMs: first = 0, maxDelayMs = MOST_DELAY }) => Number(first) <= Number(maxDelayMs), {
  path: ['delayMs'],
  error: `at most maxDelayMs, which is ${MOST_DELAY} unless it is set`,
});

/** What a pattern may set for itself, and a server for all of its patterns. */
export const subscriptionShape = {
  startFrom: z
    .union([z.string(), z.date()], { error: STARTS })
    .refine((from) => startPosition(from) !== undefined, { error: STARTS })
    .optional(),
  batchSize: count(1, 1000),
  readAheadBytes: count(1),
  replyBufferBytes: count(1),
  concurrency: count(1, 10_000),
  delivery: z
    .enum(['at-least-once', 'at-most-once'], { error: "'at-least-once' or 'at-most-once'" })
    .optional(),
  dedup: z
    .union(
      [
        z.literal(false),
        object({ windowMs, packed: trueOrFalse }, 'an object with windowMs, packed'),
      ],
      {
        error: `false, or { windowMs } with a whole number of ms, 1 to ${LONGEST_MS}, and { packed }, true or false`,
      },
    )
    .optional(),
  handlerTimeoutMs: timerMs(1),
  retry: object(
    {
      maxAttempts: count(1, MOST_ATTEMPTS),
      backoff: z
        .union([z.custom((value) => typeof value === 'function'), backoff], {
          error: `${backoffError}; the times are whole numbers of ms, jitter is a number from 0 to 1`,
        })
        .optional(),
      blocking: trueOrFalse,
    },
    'an object with maxAttempts, backoff, blocking',
  ).optional(),
  deadLetter: object({ maxLength: count(1) }, 'an object with maxLength').optional(),
  handlers: z
    .enum(['in-order', 'all-at-once'], { error: "'in-order' or 'all-at-once'" })
    .optional(),
  unhandled: z.enum(['ack', 'dead-letter'], { error: "'ack' or 'dead-letter'" }).optional(),
};

export const BLOCKING_NEEDS_RETRIES =
  "false, or nothing, with delivery: 'at-most-once': it tries nothing again, so there is nothing to wait for";
// A message that is acknowledged before it runs is never tried again, so nothing could wait for that.
export const blockingHasRetries = ({ delivery, retry }: Record<string, unknown>): boolean =>
  delivery !== 'at-most-once' || Object(retry).blocking !== true;
export const noBlocking = { path: ['retry', 'blocking'], error: BLOCKING_NEEDS_RETRIES };
