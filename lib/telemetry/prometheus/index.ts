export type { RedisStreamsMetricsOptions } from './metrics-options.js';
export { RedisStreamsMetricsModule } from './redis-streams-metrics.module.js';
