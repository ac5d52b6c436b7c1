import { RedisStreamsError } from './redis-streams.error.js';
import { messageNotDecodable } from './errors.messages.js';

/** An entry's fields are not what the codec reads. The entry is left as it is. */
export class MessageDecodingError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_DECODABLE';

  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(messageNotDecodable(reason), options);
  }
}
