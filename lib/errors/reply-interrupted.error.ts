import { replyInterrupted } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/**
 * A handler that gives many values came to no end and was begun again, after some of its values had arrived: to go on with
 * those of the other run would give values twice, or out of order. Ask again.
 */
export class ReplyInterruptedError extends RedisStreamsError {
  readonly code = 'REPLY_INTERRUPTED';

  constructor(
    readonly stream: string,
    readonly messageId: string,
  ) {
    super(replyInterrupted(stream, messageId));
  }
}
