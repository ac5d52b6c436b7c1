import { connection, keyPrefix } from './connection.schema.js';
import { DEFAULTS } from './defaults.js';
import {
  codec,
  count,
  groupError,
  nameText,
  object,
  timerMs,
  windowOrOff,
  withMethods,
} from './schema-parts.js';
import { publishedStreams, streams } from './streams.schema.js';
import { BLOCKING_NEEDS_RETRIES, subscriptionShape } from './subscription.schema.js';

const serverShape = {
  connection,
  group: nameText(groupError),
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
  publishDedup: windowOrOff,
  maxPayloadBytes: count(1, Number.MAX_SAFE_INTEGER),
  codec,
  serializer: withMethods(['serialize'], 'an object with the method serialize'),
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

// What is acknowledged before it runs is never tried again, so nothing could wait for that.
const blockingIsTriedAgain = ({ delivery, retry }: Record<string, unknown>): boolean =>
  delivery !== 'at-most-once' || Object(retry).blocking !== true;
const triedAgain = { path: ['retry', 'blocking'], error: BLOCKING_NEEDS_RETRIES };

/** One schema for each place where options come in. An unknown key is refused everywhere. */
export const schemas = {
  subscription: object(subscriptionShape, 'an object of subscription options').refine(
    blockingIsTriedAgain,
    triedAgain,
  ),
  pattern: object(
    {
      stream: nameText("a stream's name"),
      name: nameText("text that is not empty: the messages' name").optional(),
    },
    'an object with stream, name',
  ),
  server: object(serverShape, 'an object of server options, with a group')
    .refine(consumersOutliveReads, outlive)
    .refine(blockingIsTriedAgain, triedAgain),
  client: object({ ...clientShape, streams: publishedStreams }, 'an object of client options'),
  module: object({ ...serverShape, ...clientShape }, 'an object of module options, with a group')
    .refine(consumersOutliveReads, outlive)
    .refine(blockingIsTriedAgain, triedAgain),
};
