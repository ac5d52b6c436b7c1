import { RedisStreamsError } from './redis-streams.error.js';
import { publishFailed } from './errors.messages.js';

/**
 * `emit()` could not confirm that Redis has the message. Publish it again with the same `messageId`: within
 * the windows of the ledgers it is then handled once, whether or not this one arrived.
 */
export class PublishError extends RedisStreamsError {
  readonly code = 'PUBLISH_FAILED';

  constructor(
    readonly stream: string,
    /** The ID that was fixed at the call. */
    readonly messageId: string,
    /** `true` where the message may have arrived, `false` where it certainly did not. */
    readonly ambiguous: boolean,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(publishFailed(stream, messageId, ambiguous, reason), options);
  }
}
