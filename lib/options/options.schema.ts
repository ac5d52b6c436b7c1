import { z } from 'zod';
import { MOST_PARTITIONS } from '../wire/partitions.js';
import { isWildcard } from '../wire/stream-names.js';
import { connection } from './connection.schema.js';
import { DEFAULTS } from './resolved-options.js';
import {
  codec,
  count,
  groupName,
  inbox,
  isStreamName,
  LONGEST_MS,
  instanceName,
  keyPrefix,
  nameText,
  object,
  payloadSchema,
  timerMs,
  trueOrFalse,
  windowMs,
  withMethods,
} from './option-kinds.js';
import { blockingHasRetries, noBlocking, subscriptionShape } from './subscription.schema.js';

/** What Redis takes as one value, unless it is told otherwise. */
const MOST_BYTES = 536_870_912;
const retention = object(
  {
    maxAgeMs: windowMs,
    maxLength: count(1),
    ignoreGroups: z
      .array(nameText("a group's name"), { error: 'a list of group names' })
      .optional(),
    force: trueOrFalse,
  },
  'an object with maxAgeMs, maxLength, ignoreGroups, force',
)
  .refine((value) => value['maxAgeMs'] !== undefined || value['maxLength'] !== undefined, {
    error: 'maxAgeMs, maxLength, or both',
  })
  .refine((value) => value['force'] !== true || value['ignoreGroups'] === undefined, {
    error: 'either force: true, which ignores all groups, or ignoreGroups',
  });

const publishedStream = {
  maxLength: count(1),
  ttlMs: windowMs,
  force: trueOrFalse,
  codec,
  schema: payloadSchema,
  partitions: count(1, MOST_PARTITIONS),
};

const UNTAGGED = 'only for a stream without a hash tag: each partition has one of its own';
const NOT_FOR_WILDCARDS =
  "only for a stream's full name: a wildcard stands for many streams, and handlers must name a stream that has partitions";
const drops = ({ maxLength, ttlMs }: Record<string, unknown>): boolean =>
  maxLength !== undefined || ttlMs !== undefined;

const byStream = (shape: z.ZodRawShape) =>
  z
    .record(
      z.string().refine(isStreamName),
      object(shape, `an object with ${Object.keys(shape).join(', ')}`)
        .refine((value) => value['force'] === true || !drops(value), {
          path: ['force'],
          error: 'true, since maxLength and ttlMs drop what was not read; retention does not',
        })
        .refine((value) => value['force'] !== true || drops(value), {
          path: ['force'],
          error: 'only with maxLength or ttlMs; a retention has a force of its own',
        }),
      {
        error: ({ code }) =>
          code === 'invalid_key'
            ? 'a stream name, with braces only as a hash tag'
            : 'an object: stream name → options',
      },
    )
    .superRefine((named, context) => {
      for (const [stream, { partitions }] of Object.entries(named)) {
        if (partitions === undefined) continue;
        if (isWildcard(stream)) {
          const path = [stream, 'partitions'];
          context.addIssue({ code: 'custom', path, message: NOT_FOR_WILDCARDS });
        }
        if (!stream.includes('{')) continue;
        context.addIssue({ code: 'custom', path: [stream, 'partitions'], message: UNTAGGED });
      }
    });

/** The `streams` of a client. */
export const publishedStreams = byStream(publishedStream).optional();

/** The `streams` of a server. */
const streams = byStream({ retention: retention.optional(), ...publishedStream }).optional();

export const serverShape = {
  connection,
  group: groupName,
  consumer: nameText('text that is not empty').optional(),
  keyPrefix,
  blockMs: timerMs(100),
  discoveryIntervalMs: timerMs(100),
  ...subscriptionShape,
  codec,
  deserializer: withMethods(['deserialize'], 'an object with the method deserialize'),
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
  requestTimeoutMs: timerMs(1),
  inbox,
  publishDedup: z
    .union([z.literal(false), object({ windowMs }, 'an object with windowMs')], {
      error: `false, or { windowMs } with a whole number of ms, 1 to ${LONGEST_MS}`,
    })
    .optional(),
  maxPayloadBytes: count(1, MOST_BYTES),
  codec,
  serializer: withMethods(['serialize'], 'an object with the method serialize'),
};

// A consumer whose read is blocked is idle for as long, and comes back when Redis ends the read.
const consumersOutliveReads = (options: Record<string, unknown>): boolean => {
  const { blockMs = DEFAULTS.blockMs, maintenance } = options;
  const { consumerIdleMs } = Object(maintenance);
  return consumerIdleMs === undefined || Number(consumerIdleMs) > Number(blockMs);
};
const longerIdle = {
  path: ['maintenance', 'consumerIdleMs'],
  error: 'longer than blockMs, so that a consumer whose read is blocked is not removed',
};

const forServer = (shape: z.ZodRawShape, error: string) =>
  object(shape, error)
    .refine(consumersOutliveReads, longerIdle)
    .refine(blockingHasRetries, noBlocking);

/** One schema for each place where options come in. Each refuses unknown keys. */
export const schemas = {
  subscription: object(subscriptionShape, 'an object of subscription options').refine(
    blockingHasRetries,
    noBlocking,
  ),
  pattern: object(
    {
      stream: nameText("a stream's name"),
      name: nameText("text that is not empty: the messages' name").optional(),
    },
    'an object with stream, name',
  ),
  instance: object({ name: instanceName }, 'an object with name'),
  server: forServer(
    { name: instanceName, ...serverShape },
    'an object of server options, with a group',
  ),
  client: object({ ...clientShape, streams: publishedStreams }, 'an object of client options'),
  module: forServer(
    { ...serverShape, ...clientShape },
    'an object of module options, with a group',
  ),
};
