import { handlerTimedOut } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/**
 * A handler took longer than `handlerTimeoutMs`: the reason of its signal, and of the failed attempt. What it still does may
 * overlap the next attempt.
 */
export class HandlerTimeoutError extends RedisStreamsError {
  readonly code = 'HANDLER_TIMEOUT';

  constructor(
    readonly stream: string,
    readonly entryId: string,
    readonly timeoutMs: number,
  ) {
    super(handlerTimedOut(stream, entryId, timeoutMs));
  }
}
