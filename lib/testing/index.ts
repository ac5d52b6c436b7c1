export { RedisNotFoundError } from './redis-not-found.error.js';
export type { RedisSource } from './redis-source.js';
export { RedisStartError } from './redis-start.error.js';
export { startRedis } from './start-redis.js';
export type { StartRedisOptions } from './start-redis.options.js';
export type { RedisProcess, RestartOptions, StartedRedis } from './started-redis.js';
export type { FailedWay } from './testing.messages.js';
