import { requestAbandoned } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/**
 * The reason of a handler's signal when its caller has gone, has unsubscribed, or has waited for longer than
 * `requestTimeoutMs`: what it still does is for nobody.
 */
export class RequestAbandonedError extends RedisStreamsError {
  readonly code = 'REQUEST_ABANDONED';

  constructor(
    readonly stream: string,
    readonly messageId: string,
  ) {
    super(requestAbandoned(stream, messageId));
  }
}
