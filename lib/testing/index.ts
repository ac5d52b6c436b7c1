export { startRedis } from './redis/start-redis.js';
export { type FailedWay, RedisNotFoundError, RedisStartError } from './redis/start-redis.errors.js';
export type {
  RedisProcess,
  RedisSource,
  RestartOptions,
  StartedRedis,
  StartRedisOptions,
} from './redis/started-redis.js';
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
