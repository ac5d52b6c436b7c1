import { RedisStreamsError } from '../../errors/redis-streams.error.js';

/** A Redis server could not be started, or what answered cannot be used. The message says why. */
export class RedisStartError extends RedisStreamsError {
  readonly code = 'REDIS_NOT_STARTED';
}
