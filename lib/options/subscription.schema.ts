import { z } from 'zod';
import { count, object, timerMs, wholeNumber, windowMs } from './schema-parts.js';

const startFromError = "'latest', 'beginning', or an entry ID such as '1729768245123-0'";
const delayMs = wholeNumber(0, 2_147_483_647, ' of ms').optional();
const jitterError = 'a number from 0 to 1';
const backoffError = 'an object with type, delayMs, maxDelayMs, jitter, or a function';
export const BLOCKING_NEEDS_RETRIES =
  "false, or nothing, with delivery: 'at-most-once': it tries nothing again, so there is nothing to wait for";
const trueOrFalse = z.boolean({ error: 'true or false' }).optional();
const retry = object(
  {
    maxAttempts: count(1, Number.MAX_SAFE_INTEGER),
    backoff: z
      .union(
        [
          z.custom((value) => typeof value === 'function'),
          object(
            {
              type: z.enum(['fixed', 'linear', 'exponential']).optional(),
              delayMs,
              maxDelayMs: delayMs,
              jitter: z.number().min(0).max(1).optional(),
            },
            backoffError,
          ),
        ],
        { error: `${backoffError}; the times are whole numbers of ms, jitter is ${jitterError}` },
      )
      .optional(),
    blocking: trueOrFalse,
  },
  'an object with maxAttempts, backoff, blocking',
);

/** What a pattern may set for itself, and a server for all of its patterns. */
export const subscriptionShape = {
  startFrom: z
    .string({ error: startFromError })
    .regex(/^(latest|beginning|\d+-\d+)$/, { error: startFromError })
    .optional(),
  batchSize: count(1, 1000),
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
        error:
          'false, or { windowMs } with a whole number of ms, 1 or more, and { packed }, true or false',
      },
    )
    .optional(),
  handlerTimeoutMs: timerMs(1),
  retry: retry.optional(),
  deadLetter: object(
    { maxLength: count(1, Number.MAX_SAFE_INTEGER) },
    'an object with maxLength',
  ).optional(),
  handlers: z
    .enum(['in-order', 'all-at-once'], { error: "'in-order' or 'all-at-once'" })
    .optional(),
  unhandled: z.enum(['ack', 'dead-letter'], { error: "'ack' or 'dead-letter'" }).optional(),
};
