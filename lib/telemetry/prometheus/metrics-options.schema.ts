import { object, timerMs, withMethods } from '../../options/value.schemas.js';

export const metricsOptionsSchema = object(
  {
    registry: withMethods(['registerMetric', 'removeSingleMetric'], 'a Registry of prom-client'),
    intervalMs: timerMs(0),
    timeoutMs: timerMs(1),
  },
  'an object with registry, intervalMs, timeoutMs',
);
