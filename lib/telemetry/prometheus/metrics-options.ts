import type { Registry } from 'prom-client';
import { object, timerMs, withMethods } from '../../options/value.schemas.js';

/** Options of {@link RedisStreamsMetricsModule}. */
export interface RedisStreamsMetricsOptions {
  /**
   * Where the metrics are registered. If several apps run in one process, give each its own registry: a name can be registered
   * only once.
   *
   * @default the registry that `prom-client` calls `register`
   */
  registry?: Registry;
  /**
   * How long an answer of Redis is reused, in ms, 0 or more: however often the metrics are read, Redis is not asked more
   * often than that. Raise it if there are many streams and many readers.
   *
   * @default 10 000
   */
  intervalMs?: number;
  /**
   * How long Redis may take to answer, in ms, 1 or more; keep it below the timeout of whoever reads the metrics. If Redis takes
   * longer, the metrics that only Redis knows are left out.
   *
   * @default 3 000
   */
  timeoutMs?: number;
}

export const metricsOptionsSchema = object(
  {
    registry: withMethods(['registerMetric', 'removeSingleMetric'], 'a Registry of prom-client'),
    intervalMs: timerMs(0),
    timeoutMs: timerMs(1),
  },
  'an object with registry, intervalMs, timeoutMs',
);
