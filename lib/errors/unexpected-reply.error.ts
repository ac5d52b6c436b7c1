import { RedisStreamsError } from './redis-streams.error.js';
import { unexpectedReply } from './errors.messages.js';

/** Redis answered in a form that this package does not know, as a proxy between might. */
export class UnexpectedReplyError extends RedisStreamsError {
  readonly code = 'UNEXPECTED_REPLY';

  constructor(readonly command: string) {
    super(unexpectedReply(command));
  }
}
