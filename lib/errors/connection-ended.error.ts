import { RedisStreamsError } from './redis-streams.error.js';
import { connectionEnded } from './errors.messages.js';

/**
 * A connection has come to its end and will not be made again: a client certificate or its key cannot be read, a
 * `retryStrategy` of one's own gave up, or an instance of one's own was closed.
 */
export class ConnectionEndedError extends RedisStreamsError {
  readonly code = 'CONNECTION_ENDED';

  constructor(
    /** What ended it, where that is known. */
    readonly reason: string | undefined,
    options?: ErrorOptions,
  ) {
    super(connectionEnded(reason), options);
  }
}
