export { RedisNotFoundError } from './redis-not-found.error.js';
export type { RedisSource } from './redis-source.js';
export { RedisStartError } from './redis-start.error.js';
export { startRedis } from './start-redis.js';
export type { StartRedisOptions } from './start-redis.options.js';
export type { RedisProcess, RestartOptions, StartedRedis } from './started-redis.js';
export type { FailedWay } from './testing.messages.js';
export type {
  MessageAttempt,
  MessageEvent,
  MessageHistory,
  MessageState,
  WhichMessage,
} from '../testing-kit/message-history.js';
export { RedisStreamsTesting } from '../testing-kit/redis-streams-testing.js';
export { StreamsTestingError } from '../testing-kit/streams-testing.error.js';
export type {
  RedisStreamsTestingOptions,
  TestedApp,
  TestedBuilder,
  TestedFactory,
} from '../testing-kit/tested-app.js';
export type { DrainedOptions, RetriedOptions, WaitOptions } from '../testing-kit/wait-options.js';
