import { requestTimedOut } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/**
 * `send()` heard nothing for `requestTimeoutMs`: no reply, or of an Observable no further one. A handler that did not start
 * by then does not start any more; one that did may have done its work.
 */
export class RequestTimeoutError extends RedisStreamsError {
  readonly code = 'REQUEST_TIMEOUT';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    readonly timeoutMs: number,
  ) {
    super(requestTimedOut(stream, messageId, timeoutMs));
  }
}
