import { RedisStreamsError } from '../../errors/redis-streams.error.js';
import { redisNotFound, type FailedWay } from './testing.messages.js';

/** `startRedis` has tried every way to a Redis, and none gave one. The message names the ways, and why each failed. */
export class RedisNotFoundError extends RedisStreamsError {
  readonly code = 'REDIS_NOT_FOUND';

  constructor(
    /** The ways that were tried, in that order. */
    readonly failed: readonly FailedWay[],
    options?: ErrorOptions,
  ) {
    super(redisNotFound(failed), options);
  }
}
