export { RedisNotFoundError } from './redis/redis-not-found.error.js';
export type { RedisSource } from './redis/redis-source.js';
export { RedisStartError } from './redis/redis-start.error.js';
export { startRedis } from './redis/start-redis.js';
export type { StartRedisOptions } from './redis/start-redis.options.js';
export type { RedisProcess, RestartOptions, StartedRedis } from './redis/started-redis.js';
export type { FailedWay } from './redis/testing.messages.js';
export type {
  MessageAttempt,
  MessageEvent,
  MessageHistory,
  MessageState,
  WhichMessage,
} from './kit/message-history.js';
export { RedisStreamsTesting } from './kit/redis-streams-testing.js';
export { StreamsTestingError } from './kit/streams-testing.error.js';
export type {
  RedisStreamsTestingOptions,
  TestedApp,
  TestedBuilder,
  TestedFactory,
} from './kit/tested-app.js';
export type { DrainedOptions, RetriedOptions, WaitOptions } from './kit/wait-options.js';
