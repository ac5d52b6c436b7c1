import type { SubscriptionOptions } from 'nestjs-redis-streams';

/** What a worker is asked to do. */
export interface Task {
  readonly redisUrl: string;
  readonly messages: number;
  /** How ours subscribes, where not by the defaults. */
  readonly subscription?: SubscriptionOptions;
  /** Whether ours keeps in mind what was published. */
  readonly publishDedup?: boolean;
  /** What the bare side speaks. */
  readonly protocol?: 2 | 3;
  /** How much a handler does: rounds of {@link work}. */
  readonly rounds?: number;
  /** How long a handler waits. */
  readonly waitMs?: number;
  /** What one of several tasks of a worker is. */
  readonly what?: string;
}

/** What a worker answers: what it measured, or why it could not. */
export type TaskResult = { readonly measured: readonly number[] } | { readonly failed: string };
