export type { RedisStreamsMetricsOptions } from './redis-streams-metrics.module.js';
export { RedisStreamsMetricsModule } from './redis-streams-metrics.module.js';
