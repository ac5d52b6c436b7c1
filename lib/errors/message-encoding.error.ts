import { RedisStreamsError } from './redis-streams.error.js';
import { messageNotEncodable } from './errors.messages.js';

/** A payload, or what goes with it, cannot be written as an entry. Nothing was sent. */
export class MessageEncodingError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_ENCODABLE';

  constructor(
    readonly stream: string,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(messageNotEncodable(stream, reason), options);
  }
}
