import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ByStream } from '../wire/by-stream.js';
import type { StreamCodecs } from '../wire/stream-codecs.js';
import type { ConnectionOption } from './connection-option.js';
import type { RetentionOptions } from './stream-options.js';
import type {
  BackoffFunction,
  BackoffOptions,
  HandlersMode,
  StartFrom,
} from './subscription-options.js';

/** When a failed message is tried again. */
export interface ResolvedRetry {
  readonly maxAttempts: number;
  readonly backoff: Required<BackoffOptions> | BackoffFunction;
  readonly blocking: boolean;
}

/** A subscription's options with all defaults filled in. */
export interface ResolvedSubscription {
  readonly startFrom: StartFrom;
  readonly batchSize: number;
  readonly readAheadBytes: number;
  readonly replyBufferBytes: number;
  readonly concurrency: number;
  readonly delivery: 'at-least-once' | 'at-most-once';
  /** `packed`: whether all but the newest part of the ledger is packed; unless this is `false`, it is. */
  readonly dedup: { readonly windowMs: number; readonly packed?: boolean } | false;
  readonly handlerTimeoutMs: number | undefined;
  readonly retry: ResolvedRetry;
  /** When a request whose handler failed is tried again. */
  readonly requestRetry: ResolvedRetry;
  readonly deadLetter: { readonly maxLength: number | undefined };
  readonly handlers: HandlersMode;
  readonly unhandled: 'ack' | 'dead-letter';
}

/** The schemas that payloads have to fit, by stream. */
type PayloadSchemas = ByStream<StandardSchemaV1>;

/** The number of partitions, by stream; streams without partitions are not in it. */
export type StreamPartitions = ReadonlyMap<string, number>;

/** A server's options with all defaults filled in. */
export interface ResolvedServerOptions {
  /** Of its instance, in an app with several. */
  readonly name: string | undefined;
  readonly connection: ConnectionOption;
  readonly group: string;
  readonly consumer: string;
  /** Whether the consumer's name was generated, so that no later run will have it. */
  readonly consumerIsGenerated: boolean;
  readonly keyPrefix: string;
  readonly blockMs: number;
  readonly discoveryIntervalMs: number;
  readonly leaseMs: number;
  readonly recoveryIntervalMs: number;
  readonly subscription: ResolvedSubscription;
  readonly codecs: StreamCodecs;
  readonly schemas: PayloadSchemas;
  readonly partitions: StreamPartitions;
  readonly retention: ByStream<RetentionOptions>;
  /** `ttlMs` by stream, for the streams that this server keeps from expiring. */
  readonly ttls: ByStream<number>;
  readonly maintenance: {
    readonly ledgerIntervalMs: number;
    readonly retentionIntervalMs: number;
    readonly consumersIntervalMs: number;
    readonly consumerIdleMs: number;
  };
  readonly drainTimeoutMs: number;
}

/** How much of a stream publishing keeps, whether or not the rest was read. */
export interface StreamLimits {
  readonly maxLength: number | undefined;
  readonly ttlMs: number | undefined;
}

/** A client's options with all defaults filled in. */
export interface ResolvedClientOptions {
  /** Of its instance, in an app with several. */
  readonly name: string | undefined;
  readonly connection: ConnectionOption;
  readonly keyPrefix: string;
  readonly publishTimeoutMs: number;
  readonly publishDedup: { readonly windowMs: number } | false;
  readonly requestTimeoutMs: number;
  readonly inbox: string | undefined;
  readonly maxPayloadBytes: number;
  readonly limits: { readonly maxLength: ByStream<number>; readonly ttlMs: ByStream<number> };
  readonly codecs: StreamCodecs;
  readonly schemas: PayloadSchemas;
  readonly partitions: StreamPartitions;
}

/** The limits of one stream; undefined if it has none. */
export function publishLimitsOf(
  { maxLength, ttlMs }: ResolvedClientOptions['limits'],
  stream: string,
): StreamLimits | undefined {
  const limits = { maxLength: maxLength.get(stream), ttlMs: ttlMs.get(stream) };
  return limits.maxLength === undefined && limits.ttlMs === undefined ? undefined : limits;
}

/** How long the ledger remembers a message ID, in ms; 0 if there is no ledger. */
export const ledgerWindowMs = ({ dedup }: Pick<ResolvedSubscription, 'dedup'>): number =>
  dedup === false ? 0 : dedup.windowMs;

const DEDUP_WINDOW_MS = 7 * 24 * 60 * 60 * 1000;

const BACKOFF: Required<BackoffOptions> = {
  type: 'exponential',
  delayMs: 1_000,
  maxDelayMs: 60_000,
  jitter: 0.2,
};

const SUBSCRIPTION: ResolvedSubscription = {
  startFrom: 'latest',
  batchSize: 100,
  readAheadBytes: 67_108_864,
  replyBufferBytes: 67_108_864,
  concurrency: 1,
  delivery: 'at-least-once',
  dedup: { windowMs: DEDUP_WINDOW_MS, packed: true },
  handlerTimeoutMs: undefined,
  retry: { maxAttempts: 5, backoff: BACKOFF, blocking: false },
  requestRetry: { maxAttempts: 1, backoff: BACKOFF, blocking: false },
  deadLetter: { maxLength: undefined },
  handlers: 'in-order',
  unhandled: 'ack',
};

/** What applies if an option is not set. The options' own docs say why one would set it. */
export const DEFAULTS = {
  connection: 'redis://127.0.0.1:6379',
  blockMs: 5_000,
  discoveryIntervalMs: 5_000,
  minIdleMs: 60_000,
  recoveryIntervalMs: 15_000,
  maintenanceIntervalMs: 300_000,
  consumerIdleMs: 3_600_000,
  drainTimeoutMs: 10_000,
  publishTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  publishWindowMs: 120_000,
  maxPayloadBytes: 1_048_576,
  dedupWindowMs: DEDUP_WINDOW_MS,
  backoff: BACKOFF,
  subscription: SUBSCRIPTION,
} as const;

/** The same, if maintenance packs the ledger; 0 if it does not. */
export const packedWindowMs = ({ dedup }: Pick<ResolvedSubscription, 'dedup'>): number =>
  dedup === false || dedup.packed === false ? 0 : dedup.windowMs;
