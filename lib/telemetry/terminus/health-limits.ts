/** From where on a service is said to be unhealthy. What is left out has no limit, but for the reader and the answer. */
export interface RedisStreamsHealthLimits {
  /**
   * How old the oldest entry may be that the group was given and has not finished, in ms, 1 or more; from publishing.
   *
   * @default none
   */
  maxPendingAgeMs?: number;
  /**
   * How many entries the group may be behind, 0 or more. Where Redis cannot know it, nothing is said of it.
   *
   * @default none
   */
  maxLag?: number;
  /**
   * How many dead letters a group may have, 0 or more.
   *
   * @default none
   */
  maxDeadLetters?: number;
  /**
   * How near the oldest unfinished entry may be to what is removed, from 0 (it is there) to 1 (far).
   *
   * @default none
   */
  minRetentionHeadroom?: number;
  /**
   * How long the reader may not come round, in ms, 1 or more. It comes round at least every `blockMs` while there is room.
   *
   * @default `blockMs` and 5 000
   */
  maxReaderQuietMs?: number;
  /**
   * How long Redis may take for an answer, in ms, 1 or more. Keep it below the timeout of whoever asks for health.
   *
   * @default 2 000
   */
  timeoutMs?: number;
}
