import type { SubscriptionOptions } from 'nestjs-redis-streams';

/** What a worker is asked to do. */
export interface Task {
  readonly redisUrl: string;
  readonly messages: number;
  /** How our side subscribes, if not with the defaults. */
  readonly subscription?: SubscriptionOptions;
  /** Whether our side stores published IDs. */
  readonly publishDedup?: boolean;
  /** The protocol of the bare side. */
  readonly protocol?: 2 | 3;
  /** How much a handler does: rounds of {@link work}. */
  readonly rounds?: number;
  /** How long a handler waits. */
  readonly waitMs?: number;
  /** Which of several tasks of a worker to do. */
  readonly what?: string;
}

/** What a worker answers: what it measured, or why it could not. */
export type TaskResult = { readonly measured: readonly number[] } | { readonly failed: string };
