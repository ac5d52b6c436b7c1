import type { ConsumerDeserializer, ProducerSerializer } from '@nestjs/microservices';
import type { Codec } from '../wire/codec.js';
import { JsonCodec } from '../wire/json.codec.js';
import { StreamCodecs } from '../wire/stream-codecs.js';
import { consumerName } from '../wire/consumer-name.js';
import { checkOptions } from './check-options.js';
import type { RedisStreamsClientOptions } from './client-options.js';
import { DEFAULTS } from './defaults.js';
import type { RedisStreamsModuleOptions } from './module-options.js';
import { InvalidOptionsError } from '../errors/options.errors.js';
import { schemas } from './options.schema.js';
import type {
  PayloadSchemas,
  ResolvedClientOptions,
  ResolvedRetry,
  ResolvedServerOptions,
  ResolvedSubscription,
  StreamPartitions,
  StreamLimits,
} from './resolved-options.js';
import type { RetryOptions } from './retry-options.js';
import { BLOCKING_NEEDS_RETRIES } from './subscription.schema.js';
import type { RedisStreamsServerOptions } from './server-options.js';
import type { PublishedStreamOptions, RetentionOptions } from './stream-options.js';
import type { SubscriptionOptions } from './subscription-options.js';

/** What came out of here: the module resolves once, for its server and its client. */
const done = new WeakSet<object>();

const isDone = <Resolved extends object>(options: object): options is Resolved => done.has(options);

/** @throws InvalidOptionsError */
export function resolveServerOptions(
  options: RedisStreamsServerOptions | ResolvedServerOptions,
): ResolvedServerOptions {
  if (isDone<ResolvedServerOptions>(options)) return options;
  checkOptions(schemas.server, options);
  return fillServer(options as RedisStreamsServerOptions);
}

/** @throws InvalidOptionsError */
export function resolveClientOptions(
  options: RedisStreamsClientOptions | ResolvedClientOptions,
): ResolvedClientOptions {
  if (isDone<ResolvedClientOptions>(options)) return options;
  checkOptions(schemas.client, options);
  return fillClient(options as RedisStreamsClientOptions);
}

/** @throws InvalidOptionsError */
export function resolveModuleOptions(options: RedisStreamsModuleOptions): {
  server: ResolvedServerOptions;
  client: ResolvedClientOptions;
} {
  checkOptions(schemas.module, options);
  const resolved = { server: fillServer(options), client: fillClient(options) };
  done.add(resolved.server).add(resolved.client);
  return resolved;
}

/**
 * A pattern's own options over those of its server. Alone they were checked by `subscription()`.
 *
 * @throws InvalidOptionsError if they contradict those of the server
 */
export function resolveSubscription(
  base: ResolvedSubscription,
  own: SubscriptionOptions,
): ResolvedSubscription {
  const delivery = own.delivery ?? base.delivery;
  // The other way round the server's default is for its other patterns.
  if (own.retry?.blocking === true && delivery === 'at-most-once') {
    throw new InvalidOptionsError('subscription.retry.blocking', 'true', BLOCKING_NEEDS_RETRIES);
  }
  return {
    startFrom: own.startFrom ?? base.startFrom,
    batchSize: own.batchSize ?? base.batchSize,
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

/** How a policy that sets some of it is meant. */
export const resolveRetry = ({ maxAttempts, backoff, blocking }: RetryOptions): ResolvedRetry => ({
  maxAttempts: maxAttempts ?? DEFAULTS.subscription.retry.maxAttempts,
  backoff: typeof backoff === 'function' ? backoff : { ...DEFAULTS.backoff, ...backoff },
  blocking: blocking ?? DEFAULTS.subscription.retry.blocking,
});

/** Which codec is for which stream. */
export function resolveCodecs(options: {
  codec?: Codec;
  streams?: Record<string, PublishedStreamOptions>;
  serializer?: ProducerSerializer;
  deserializer?: ConsumerDeserializer;
}): StreamCodecs {
  const { serializer, deserializer } = options;
  const own = new Map<string, Codec>();
  for (const [stream, { codec }] of Object.entries(options.streams ?? {})) {
    if (codec !== undefined) own.set(stream, codec);
  }
  return new StreamCodecs(options.codec ?? new JsonCodec(), own, { serializer, deserializer });
}

const resolveSchemas = (streams: Record<string, PublishedStreamOptions> = {}): PayloadSchemas =>
  new Map(
    Object.entries(streams).flatMap(([stream, { schema }]) =>
      schema === undefined ? [] : [[stream, schema] as const],
    ),
  );

/** Over how many keys each stream is spread that is. */
export const resolvePartitions = (
  streams: Record<string, PublishedStreamOptions> = {},
): StreamPartitions =>
  new Map(
    Object.entries(streams).flatMap(([stream, { partitions }]) =>
      partitions === undefined ? [] : [[stream, partitions] as const],
    ),
  );

function fillServer(options: RedisStreamsServerOptions): ResolvedServerOptions {
  const retention = new Map<string, RetentionOptions>();
  for (const [stream, its] of Object.entries(options.streams ?? {})) {
    if (its.retention !== undefined) retention.set(stream, its.retention);
  }
  return {
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
    schemas: resolveSchemas(options.streams),
    partitions: resolvePartitions(options.streams),
    retention,
    maintenance: fillMaintenance(options),
    drainTimeoutMs: options.shutdown?.drainTimeoutMs ?? DEFAULTS.drainTimeoutMs,
  };
}

function fillMaintenance({
  maintenance: its = {},
  blockMs = DEFAULTS.blockMs,
}: RedisStreamsServerOptions): ResolvedServerOptions['maintenance'] {
  return {
    ledgerIntervalMs: its.ledgerIntervalMs ?? DEFAULTS.maintenanceIntervalMs,
    retentionIntervalMs: its.retentionIntervalMs ?? DEFAULTS.maintenanceIntervalMs,
    consumersIntervalMs: its.consumersIntervalMs ?? DEFAULTS.maintenanceIntervalMs,
    // A consumer whose read is blocked looks idle for as long.
    consumerIdleMs: its.consumerIdleMs ?? Math.max(DEFAULTS.consumerIdleMs, 2 * blockMs),
  };
}

function fillClient(options: RedisStreamsClientOptions): ResolvedClientOptions {
  const limits = new Map<string, StreamLimits>();
  for (const [stream, { maxLength, ttlMs }] of Object.entries(options.streams ?? {})) {
    if (maxLength !== undefined || ttlMs !== undefined) limits.set(stream, { maxLength, ttlMs });
  }
  return {
    connection: options.connection ?? DEFAULTS.connection,
    keyPrefix: options.keyPrefix ?? '',
    publishTimeoutMs: options.publishTimeoutMs ?? DEFAULTS.publishTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULTS.requestTimeoutMs,
    publishDedup:
      options.publishDedup === false
        ? false
        : { windowMs: options.publishDedup?.windowMs ?? DEFAULTS.publishWindowMs },
    maxPayloadBytes: options.maxPayloadBytes ?? DEFAULTS.maxPayloadBytes,
    limits,
    codecs: resolveCodecs(options),
    schemas: resolveSchemas(options.streams),
    partitions: resolvePartitions(options.streams),
  };
}
