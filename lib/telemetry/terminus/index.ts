export type { RedisStreamsHealthLimits } from './health-limits.js';
export { RedisStreamsHealthIndicator } from './redis-streams.health-indicator.js';
