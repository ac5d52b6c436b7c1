import type { StartRedisOptions } from '../start-redis.options.js';
import type { StartedRedis } from '../started-redis.js';
import type { FailedWay } from '../testing.messages.js';

/** One way to a Redis. */
export interface Way {
  readonly name: string;
  /**
   * @param failed The ways that were tried before.
   * @throws {@link RedisStartError} when this way gives none and the next can be tried; the message says why.
   */
  start(options: StartRedisOptions, failed: readonly FailedWay[]): Promise<StartedRedis>;
}
