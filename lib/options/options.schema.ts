import { z } from 'zod';
import { hashTagged } from '../keys/stream-name.js';
import { DEFAULTS } from './defaults.js';
import { isRedisInstance } from './is-redis-instance.js';

const wholeNumber = (min: number, max: number, unit: string) => {
  const upTo = max === Number.MAX_SAFE_INTEGER ? ' or more' : ` to ${max}`;
  const error = `a whole number${unit}, ${min}${upTo}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
// A timer takes 31 bits of milliseconds; a window in Redis takes any number.
const timerMs = (min: number) => wholeNumber(min, 2_147_483_647, ' of ms').optional();
const windowMs = wholeNumber(1, Number.MAX_SAFE_INTEGER, ' of ms').optional();
export const count = (min: number, max: number) => wholeNumber(min, max, '').optional();
export const nameText = (error: string) => z.string({ error }).min(1, { error });
export const object = (shape: z.ZodRawShape, error: string) => z.strictObject(shape, { error });

const isStreamName = (name: string): boolean => {
  try {
    hashTagged(name);
    return true;
  } catch {
    return false;
  }
};

export const connection = z
  .custom(
    (value) =>
      (typeof value === 'string' && /^rediss?:\/\//.test(value)) ||
      (typeof value === 'object' && value !== null && !Array.isArray(value)),
    { error: 'a redis:// or rediss:// URL, ioredis options, or an ioredis instance' },
  )
  .refine((value) => !hasKeyPrefix(value), {
    error:
      'no keyPrefix of ioredis, which would tear the keys of a stream apart: use the option "keyPrefix" here',
  })
  .optional();

function hasKeyPrefix(value: unknown): boolean {
  const options = isRedisInstance(value) ? value.options : value;
  return (
    typeof options === 'object' &&
    options !== null &&
    'keyPrefix' in options &&
    Boolean(options.keyPrefix)
  );
}

const keyPrefixError = 'text that Redis Cluster can hash: braces only as a tag such as "{eu}:"';
export const keyPrefix = z
  .string({ error: keyPrefixError })
  .refine((value) => isStreamName(`${value}a`), { error: keyPrefixError })
  .optional();

const startFromError = "'latest', 'beginning', or an entry ID such as '1729768245123-0'";
const delayMs = wholeNumber(0, 2_147_483_647, ' of ms').optional();
const jitterError = 'a number from 0 to 1';
const backoffError = 'an object with type, delayMs, maxDelayMs, jitter, or a function';
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
    blocking: z.boolean({ error: 'true or false' }).optional(),
  },
  'an object with maxAttempts, backoff, blocking',
);

const windowOrOff = z
  .union([z.literal(false), object({ windowMs }, 'an object with windowMs')], {
    error: 'false, or { windowMs } with a whole number of ms, 1 or more',
  })
  .optional();

const subscriptionShape = {
  startFrom: z
    .string({ error: startFromError })
    .regex(/^(latest|beginning|\d+-\d+)$/, { error: startFromError })
    .optional(),
  batchSize: count(1, 1000),
  concurrency: count(1, 10_000),
  delivery: z
    .enum(['at-least-once', 'at-most-once'], { error: "'at-least-once' or 'at-most-once'" })
    .optional(),
  dedup: windowOrOff,
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

const retention = object(
  {
    maxAgeMs: windowMs,
    maxLength: count(1, Number.MAX_SAFE_INTEGER),
    ignoreGroups: z
      .array(nameText("a group's name"), { error: 'a list of group names' })
      .optional(),
    force: z.boolean({ error: 'true or false' }).optional(),
  },
  'an object with maxAgeMs, maxLength, ignoreGroups, force',
)
  .refine((value) => value['maxAgeMs'] !== undefined || value['maxLength'] !== undefined, {
    error: 'maxAgeMs, maxLength, or both',
  })
  .refine((value) => value['force'] !== true || value['ignoreGroups'] === undefined, {
    error: 'either force: true, which ignores all groups, or ignoreGroups',
  });

const limitsAreForced = ({ maxLength, ttlMs, force }: Record<string, unknown>): boolean =>
  force === true || (maxLength === undefined && ttlMs === undefined);
const forceIsForLimits = ({ maxLength, ttlMs, force }: Record<string, unknown>): boolean =>
  force !== true || maxLength !== undefined || ttlMs !== undefined;
const streamOptions = object(
  {
    retention: retention.optional(),
    maxLength: count(1, Number.MAX_SAFE_INTEGER),
    ttlMs: windowMs,
    force: z.boolean({ error: 'true or false' }).optional(),
  },
  'an object with retention, maxLength, ttlMs, force',
)
  .refine(limitsAreForced, {
    path: ['force'],
    error: 'true, since maxLength and ttlMs drop what was not read; retention does not',
  })
  .refine(forceIsForLimits, {
    path: ['force'],
    error: 'only with maxLength or ttlMs; a retention has a force of its own',
  });

const streams = z
  .record(z.string().refine(isStreamName), streamOptions, {
    error: ({ code }) =>
      code === 'invalid_key'
        ? 'a stream name, with braces only as a hash tag'
        : 'an object: stream name → options',
  })
  .optional();

export const groupError = 'text that is not empty: one name for each service';
const serverShape = {
  connection,
  group: nameText(groupError),
  consumer: nameText('text that is not empty').optional(),
  keyPrefix,
  blockMs: timerMs(100),
  ...subscriptionShape,
  recovery: object(
    { minIdleMs: timerMs(1000), intervalMs: timerMs(100) },
    'an object with minIdleMs, intervalMs',
  ).optional(),
  streams,
  maintenance: object(
    {
      ledgerIntervalMs: timerMs(1000),
      retentionIntervalMs: timerMs(1000),
      consumersIntervalMs: timerMs(1000),
      consumerIdleMs: timerMs(1000),
    },
    'an object with ledgerIntervalMs, retentionIntervalMs, consumersIntervalMs, consumerIdleMs',
  ).optional(),
  shutdown: object({ drainTimeoutMs: timerMs(0) }, 'an object with drainTimeoutMs').optional(),
};

const clientShape = {
  connection,
  keyPrefix,
  publishTimeoutMs: timerMs(1),
  publishDedup: windowOrOff,
  maxPayloadBytes: count(1, Number.MAX_SAFE_INTEGER),
  streams,
};

// A consumer whose read is blocked is idle for as long, and comes back when Redis ends the read.
const consumersOutliveReads = (options: Record<string, unknown>): boolean => {
  const { blockMs = DEFAULTS.blockMs, maintenance } = options;
  const { consumerIdleMs } = Object(maintenance);
  return consumerIdleMs === undefined || Number(consumerIdleMs) > Number(blockMs);
};
const outlive = {
  path: ['maintenance', 'consumerIdleMs'],
  error: 'longer than blockMs, so that a consumer whose read is blocked is not removed',
};

/** One schema for each place where options come in. An unknown key is refused everywhere. */
export const schemas = {
  subscription: object(subscriptionShape, 'an object of subscription options'),
  pattern: object(
    {
      stream: nameText("a stream's name"),
      name: nameText("text that is not empty: the messages' name").optional(),
    },
    'an object with stream, name',
  ),
  server: object(serverShape, 'an object of server options, with a group').refine(
    consumersOutliveReads,
    outlive,
  ),
  client: object(clientShape, 'an object of client options'),
  module: object(
    { ...serverShape, ...clientShape },
    'an object of module options, with a group',
  ).refine(consumersOutliveReads, outlive),
};
