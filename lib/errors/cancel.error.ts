import { RedisStreamsError } from './redis-streams.error.js';
import { cancelFailed } from './errors.messages.js';

/** `cancel()` could not find out whether the message will be published. Cancelling it again harms nothing. */
export class CancelError extends RedisStreamsError {
  readonly code = 'CANCEL_FAILED';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    /** `true` where it may be cancelled, and a second `cancel()` would then say `false`; `false` where it certainly is not. */
    readonly ambiguous: boolean,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(cancelFailed(stream, messageId, ambiguous, reason), options);
  }
}
