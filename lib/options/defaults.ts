import type { BackoffOptions } from './retry-options.js';
import type { ResolvedSubscription } from './resolved-options.js';

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

/** What holds where an option is not set. The options' own docs say why one would set it. */
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

/** Each is a flow of its own in every member, and a row in each answer about the stream. */
export const MOST_PARTITIONS = 1_024;
