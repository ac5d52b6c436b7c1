import { z } from 'zod';
import { count, object, timerMs } from '../../options/value.schemas.js';

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
