/** How the wait before an attempt grows. */
export interface BackoffOptions {
  /**
   * `'fixed'`: always `delayMs`; `'linear'`: `delayMs` times the attempts so far; `'exponential'`: doubled each time.
   *
   * @default 'exponential'
   */
  type?: 'fixed' | 'linear' | 'exponential';
  /**
   * The first wait, in ms, 0 or more.
   *
   * @default 1_000
   */
  delayMs?: number;
  /**
   * The longest wait, in ms, 0 or more.
   *
   * @default 60_000
   */
  maxDelayMs?: number;
  /**
   * By which part a wait is spread at random, 0 to 1, so that what failed together does not come back together.
   *
   * @default 0.2
   */
  jitter?: number;
}

/**
 * Says after each failed attempt (from 1) how long to wait, in ms, or that there is no use in another one. `maxAttempts`
 * holds all the same.
 */
export type BackoffFunction = (attempt: number, error: unknown) => number | 'dead-letter';

/** What becomes of a message whose handler failed. */
export interface RetryOptions {
  /**
   * How many attempts a message has before it becomes a dead letter, 1 or more.
   *
   * @default 5
   */
  maxAttempts?: number;
  /** @default exponential from 1 s to 60 s */
  backoff?: BackoffOptions | BackoffFunction;
  /**
   * Whether the consumer waits for the next attempt of a message that failed before it begins another one of its stream,
   * so that order holds. The message keeps its slot meanwhile. With `concurrency: 1` nothing passes it. Refused with
   * `delivery: 'at-most-once'`, which tries nothing again.
   *
   * @default false: it waits without a slot, and others go on
   */
  blocking?: boolean;
}

/** How dead letters are kept. */
export interface DeadLetterOptions {
  /**
   * How many of a group's dead letters to keep, about; the oldest go. 1 or more.
   *
   * @default none: all are kept
   */
  maxLength?: number;
}
