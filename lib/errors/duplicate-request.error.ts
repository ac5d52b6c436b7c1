import { requestDuplicate } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/**
 * `send()` with a message ID that was published already within the window of `publishDedup`: nothing was sent, and the
 * replies, if it was a request, go to whoever sent the first one.
 */
export class DuplicateRequestError extends RedisStreamsError {
  readonly code = 'DUPLICATE_REQUEST';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    /** The entry that is there. */
    readonly entryId: string,
  ) {
    super(requestDuplicate(stream, messageId));
  }
}
