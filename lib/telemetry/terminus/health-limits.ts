import { z } from 'zod';
import { count, object, timerMs } from '../../options/check-options.js';

/** When a service counts as unhealthy. What is left out has no limit, except for the reader and the answer. */
export interface RedisStreamsHealthLimits {
  /**
   * How long ago the oldest pending entry of the group may have been published, in ms, 1 or more.
   *
   * @default none
   */
  maxPendingAgeMs?: number;
  /**
   * How many entries the group may be behind, 0 or more. If Redis cannot know it, it is not checked.
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
   * How close the oldest unfinished entry may be to being removed, from 0 (about to be) to 1 (far).
   *
   * @default none
   */
  minRetentionHeadroom?: number;
  /**
   * How long ago the last read may have ended, in ms, 1 or more. Reads end at least every `blockMs` while handlers are free.
   *
   * @default `blockMs` and 5 000
   */
  maxReaderQuietMs?: number;
  /**
   * How long Redis may take to answer, in ms, 1 or more. Keep it below the timeout of whoever calls the health check.
   *
   * @default 2 000
   */
  timeoutMs?: number;
}

const share = 'a number from 0 to 1';

export const healthLimitsSchema = object(
  {
    maxPendingAgeMs: count(1, Number.MAX_SAFE_INTEGER),
    maxLag: count(0, Number.MAX_SAFE_INTEGER),
    maxDeadLetters: count(0, Number.MAX_SAFE_INTEGER),
    minRetentionHeadroom: z
      .number({ error: share })
      .min(0, { error: share })
      .max(1, { error: share })
      .optional(),
    maxReaderQuietMs: timerMs(1),
    timeoutMs: timerMs(1),
  },
  'an object with maxPendingAgeMs, maxLag, maxDeadLetters, minRetentionHeadroom, maxReaderQuietMs, timeoutMs',
);
