import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { StreamCodecs } from '../wire/stream-codecs.js';
import type { ConnectionOption } from './connection-option.js';
import type { BackoffFunction, BackoffOptions } from './retry-options.js';
import type { RetentionOptions } from './stream-options.js';
import type { HandlersMode, StartFrom } from './subscription-options.js';

/** When a failed message is tried again. */
export interface ResolvedRetry {
  readonly maxAttempts: number;
  readonly backoff: Required<BackoffOptions> | BackoffFunction;
  readonly blocking: boolean;
}

/** A subscription's options with nothing left open. */
export interface ResolvedSubscription {
  readonly startFrom: StartFrom;
  readonly batchSize: number;
  readonly concurrency: number;
  readonly delivery: 'at-least-once' | 'at-most-once';
  /** `packed`: whether what is older than the newest is packed; so it is unless this is `false`. */
  readonly dedup: { readonly windowMs: number; readonly packed?: boolean } | false;
  readonly handlerTimeoutMs: number | undefined;
  readonly retry: ResolvedRetry;
  /** When a request whose handler failed is tried again. */
  readonly requestRetry: ResolvedRetry;
  readonly deadLetter: { readonly maxLength: number | undefined };
  readonly handlers: HandlersMode;
  readonly unhandled: 'ack' | 'dead-letter';
}

/** What payloads have to fit, by stream: of those that have a schema. */
export type PayloadSchemas = ReadonlyMap<string, StandardSchemaV1>;

/** Over how many keys streams are spread: of those that are. */
export type StreamPartitions = ReadonlyMap<string, number>;

/** A server's options with nothing left open. */
export interface ResolvedServerOptions {
  readonly connection: ConnectionOption;
  readonly group: string;
  readonly consumer: string;
  /** Whether nobody chose the consumer's name, so that no later run will have it. */
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
  readonly retention: ReadonlyMap<string, RetentionOptions>;
  readonly maintenance: {
    readonly ledgerIntervalMs: number;
    readonly retentionIntervalMs: number;
    readonly consumersIntervalMs: number;
    readonly consumerIdleMs: number;
  };
  readonly drainTimeoutMs: number;
}

/** What publishing drops of a stream, read or not. */
export interface StreamLimits {
  readonly maxLength: number | undefined;
  readonly ttlMs: number | undefined;
}

/** A client's options with nothing left open. */
export interface ResolvedClientOptions {
  readonly connection: ConnectionOption;
  readonly keyPrefix: string;
  readonly publishTimeoutMs: number;
  readonly publishDedup: { readonly windowMs: number } | false;
  readonly requestTimeoutMs: number;
  readonly maxPayloadBytes: number;
  /** Of the streams that have any, by name. */
  readonly limits: ReadonlyMap<string, StreamLimits>;
  readonly codecs: StreamCodecs;
  readonly schemas: PayloadSchemas;
  readonly partitions: StreamPartitions;
}

/** How long the ledger remembers a message ID, in ms; 0 if there is no ledger. */
export const ledgerWindowMs = ({ dedup }: Pick<ResolvedSubscription, 'dedup'>): number =>
  dedup === false ? 0 : dedup.windowMs;
