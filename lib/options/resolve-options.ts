import type { ConsumerDeserializer, ProducerSerializer } from '@nestjs/microservices';
import type { Codec } from '../wire/codec.js';
import { ByStream } from '../wire/by-stream.js';
import { JsonCodec } from '../wire/json.codec.js';
import { StreamCodecs } from '../wire/stream-codecs.js';
import { consumerName } from '../wire/ids.js';
import { checkOptions } from './check-options.js';
import type { RedisStreamsClientOptions } from './client-options.js';
import {
  DEFAULTS,
  type ResolvedClientOptions,
  type ResolvedRetry,
  type ResolvedServerOptions,
  type ResolvedSubscription,
  type StreamPartitions,
} from './resolved-options.js';
import { pullSchemas, type RedisStreamsPullOptions } from './pull-options.js';
import type { RedisStreamsModuleOptions, RedisStreamsServerOptions } from './server-options.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { schemas } from './options.schema.js';
import { BLOCKING_NEEDS_RETRIES } from './subscription.schema.js';
import type { RetryOptions, SubscriptionOptions } from './subscription-options.js';
import type { PublishedStreamOptions } from './stream-options.js';

/** Options that the module has resolved already, for its server and its client. */
const resolvedBefore = new WeakSet<object>();

const isResolved = <Resolved extends object>(options: object): options is Resolved =>
  resolvedBefore.has(options);

/** @throws InvalidOptionsError */
export function resolveServerOptions(
  options: RedisStreamsServerOptions | ResolvedServerOptions,
): ResolvedServerOptions {
  if (isResolved<ResolvedServerOptions>(options)) return options;
  checkOptions(schemas.server, options);
  return fillServer(options as RedisStreamsServerOptions);
}

/** @throws InvalidOptionsError */
export function resolvePullOptions(
  options: RedisStreamsPullOptions | ResolvedServerOptions,
): ResolvedServerOptions {
  if (isResolved<ResolvedServerOptions>(options)) return options;
  checkOptions(pullSchemas.class, options);
  return fillServer(options as RedisStreamsPullOptions);
}

/** @throws InvalidOptionsError */
export function resolveClientOptions(
  options: RedisStreamsClientOptions | ResolvedClientOptions,
): ResolvedClientOptions {
  if (isResolved<ResolvedClientOptions>(options)) return options;
  checkOptions(schemas.client, options);
  return fillClient(options as RedisStreamsClientOptions);
}

/** @throws InvalidOptionsError */
export function resolveModuleOptions(
  options: RedisStreamsModuleOptions,
  name?: string,
): {
  server: ResolvedServerOptions;
  client: ResolvedClientOptions;
} {
  checkOptions(schemas.module, options);
  const resolved = {
    server: fillServer({ ...options, name }),
    client: fillClient(options, name),
  };
  resolvedBefore.add(resolved.server).add(resolved.client);
  return resolved;
}

/**
 * Merges a pattern's own options into those of its server. `subscription()` has validated them on their own.
 *
 * @throws InvalidOptionsError if they contradict those of the server
 */
export function resolveSubscription(
  base: ResolvedSubscription,
  own: SubscriptionOptions,
): ResolvedSubscription {
  const delivery = own.delivery ?? base.delivery;
  // If the pattern sets only `delivery`, the server's `blocking` is for its other patterns.
  if (own.retry?.blocking === true && delivery === 'at-most-once') {
    throw new InvalidOptionsError('subscription.retry.blocking', 'true', BLOCKING_NEEDS_RETRIES);
  }
  return {
    startFrom: own.startFrom ?? base.startFrom,
    batchSize: own.batchSize ?? base.batchSize,
    readAheadBytes: own.readAheadBytes ?? base.readAheadBytes,
    replyBufferBytes: own.replyBufferBytes ?? base.replyBufferBytes,
    concurrency: own.concurrency ?? base.concurrency,
    delivery,
    dedup: own.dedup === undefined ? base.dedup : resolveDedup(own.dedup),
    handlerTimeoutMs: own.handlerTimeoutMs ?? base.handlerTimeoutMs,
    retry: own.retry === undefined ? base.retry : resolveRetry(own.retry),
    requestRetry: base.requestRetry,
    deadLetter: { maxLength: own.deadLetter?.maxLength ?? base.deadLetter.maxLength },
    handlers: own.handlers ?? base.handlers,
    unhandled: own.unhandled ?? base.unhandled,
  };
}

const resolveDedup = (
  dedup: NonNullable<SubscriptionOptions['dedup']>,
): ResolvedSubscription['dedup'] =>
  dedup === false
    ? false
    : { windowMs: dedup.windowMs ?? DEFAULTS.dedupWindowMs, packed: dedup.packed ?? true };

/** Fills in the defaults of a retry policy. */
export const resolveRetry = ({ maxAttempts, backoff, blocking }: RetryOptions): ResolvedRetry => ({
  maxAttempts: maxAttempts ?? DEFAULTS.subscription.retry.maxAttempts,
  backoff: typeof backoff === 'function' ? backoff : { ...DEFAULTS.backoff, ...backoff },
  blocking: blocking ?? DEFAULTS.subscription.retry.blocking,
});

/** Collects the codec of each stream. */
export function resolveCodecs(options: {
  codec?: Codec;
  streams?: Record<string, PublishedStreamOptions>;
  serializer?: ProducerSerializer;
  deserializer?: ConsumerDeserializer;
}): StreamCodecs {
  const { serializer, deserializer } = options;
  const own = byStream(options.streams, ({ codec }) => codec);
  return new StreamCodecs(options.codec ?? new JsonCodec(), own, { serializer, deserializer });
}

/** The values of one option, for the streams and wildcards that set it. */
function byStream<Options, Value>(
  streams: Record<string, Options> | undefined,
  valueOf: (options: Options) => Value | undefined,
): ByStream<Value> {
  const values: [string, Value][] = [];
  for (const [stream, options] of Object.entries(streams ?? {})) {
    const value = valueOf(options);
    if (value !== undefined) values.push([stream, value]);
  }
  return new ByStream(values);
}

export const resolvePartitions = (
  streams: Record<string, PublishedStreamOptions> | undefined,
): StreamPartitions => new Map(byStream(streams, ({ partitions }) => partitions).entries);

function fillServer(options: RedisStreamsServerOptions): ResolvedServerOptions {
  return {
    name: options.name,
    connection: options.connection ?? DEFAULTS.connection,
    group: options.group,
    consumer: options.consumer ?? consumerName(options.group),
    consumerIsGenerated: options.consumer === undefined,
    keyPrefix: options.keyPrefix ?? '',
    blockMs: options.blockMs ?? DEFAULTS.blockMs,
    discoveryIntervalMs: options.discoveryIntervalMs ?? DEFAULTS.discoveryIntervalMs,
    leaseMs: options.recovery?.minIdleMs ?? DEFAULTS.minIdleMs,
    recoveryIntervalMs: options.recovery?.intervalMs ?? DEFAULTS.recoveryIntervalMs,
    subscription: resolveSubscription(DEFAULTS.subscription, options),
    codecs: resolveCodecs(options),
    schemas: byStream(options.streams, ({ schema }) => schema),
    partitions: resolvePartitions(options.streams),
    retention: byStream(options.streams, ({ retention }) => retention),
    ttls: byStream(options.streams, ({ ttlMs }) => ttlMs),
    maintenance: fillMaintenance(options),
    drainTimeoutMs: options.shutdown?.drainTimeoutMs ?? DEFAULTS.drainTimeoutMs,
  };
}

function fillMaintenance({
  maintenance = {},
  blockMs = DEFAULTS.blockMs,
}: RedisStreamsServerOptions): ResolvedServerOptions['maintenance'] {
  return {
    ledgerIntervalMs: maintenance.ledgerIntervalMs ?? DEFAULTS.maintenanceIntervalMs,
    retentionIntervalMs: maintenance.retentionIntervalMs ?? DEFAULTS.maintenanceIntervalMs,
    consumersIntervalMs: maintenance.consumersIntervalMs ?? DEFAULTS.maintenanceIntervalMs,
    // A consumer whose read is blocked looks idle for as long.
    consumerIdleMs: maintenance.consumerIdleMs ?? Math.max(DEFAULTS.consumerIdleMs, 2 * blockMs),
  };
}

function fillClient(options: RedisStreamsClientOptions, name?: string): ResolvedClientOptions {
  return {
    name,
    connection: options.connection ?? DEFAULTS.connection,
    keyPrefix: options.keyPrefix ?? '',
    publishTimeoutMs: options.publishTimeoutMs ?? DEFAULTS.publishTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULTS.requestTimeoutMs,
    inbox: options.inbox,
    publishDedup:
      options.publishDedup === false
        ? false
        : { windowMs: options.publishDedup?.windowMs ?? DEFAULTS.publishWindowMs },
    maxPayloadBytes: options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes,
    limits: {
      maxLength: byStream(options.streams, ({ maxLength }) => maxLength),
      ttlMs: byStream(options.streams, ({ ttlMs }) => ttlMs),
    },
    codecs: resolveCodecs(options),
    schemas: byStream(options.streams, ({ schema }) => schema),
    partitions: resolvePartitions(options.streams),
  };
}
