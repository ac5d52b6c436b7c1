export { startRedis } from './redis/start-redis.js';
export { type FailedWay, RedisNotFoundError, RedisStartError } from './redis/started-redis.js';
export type {
  RedisProcess,
  RedisSource,
  RestartOptions,
  StartedRedis,
  StartRedisOptions,
} from './redis/started-redis.js';
export {
  type MessageAttempt,
  type MessageEvent,
  type MessageHistory,
  type MessageState,
  StreamsTestingError,
  type WhichMessage,
} from './kit/message-history.js';
export { RedisStreamsTesting } from './kit/redis-streams-testing.js';
export type {
  DrainedOptions,
  RedisStreamsTestingOptions,
  RetriedOptions,
  TestedApp,
  TestedBuilder,
  TestedFactory,
  WaitOptions,
} from './kit/testing-options.js';
