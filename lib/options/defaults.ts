import type { ResolvedSubscription } from './resolved-options.js';

const DEDUP_WINDOW_MS = 7 * 24 * 60 * 60 * 1000;

const SUBSCRIPTION: ResolvedSubscription = {
  startFrom: 'latest',
  batchSize: 100,
  concurrency: 1,
  delivery: 'at-least-once',
  dedup: { windowMs: DEDUP_WINDOW_MS },
};

/** What holds where an option is not set. The options' own docs say why one would set it. */
export const DEFAULTS = {
  connection: 'redis://127.0.0.1:6379',
  blockMs: 5_000,
  minIdleMs: 60_000,
  maintenanceIntervalMs: 300_000,
  drainTimeoutMs: 10_000,
  publishTimeoutMs: 10_000,
  dedupWindowMs: DEDUP_WINDOW_MS,
  subscription: SUBSCRIPTION,
} as const;
