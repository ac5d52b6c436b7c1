export type { RedisStreamsHealthLimits } from './redis-streams.health-indicator.js';
export { RedisStreamsHealthIndicator } from './redis-streams.health-indicator.js';
