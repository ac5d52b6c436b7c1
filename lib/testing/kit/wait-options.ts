/** How long one wait lasts. */
export interface WaitOptions {
  /**
   * In ms, 1 or more.
   *
   * @default what `create()` was given
   */
  readonly timeoutMs?: number | undefined;
}

/** Which retry is waited for. */
export interface RetriedOptions extends WaitOptions {
  /** The attempt that failed, from 1; any where it is left out. */
  readonly attempt?: number | undefined;
}

/** What `drained()` waits for. */
export interface DrainedOptions extends WaitOptions {
  /**
   * Whether it also waits for messages that wait for their next attempt, or leaves those.
   *
   * @default 'wait'
   */
  readonly retries?: 'wait' | 'leave' | undefined;
}
