import { RedisStreamsError } from './redis-streams.error.js';
import { messageNotEncodable } from './errors.messages.js';

/** A payload, or what goes with it, cannot be written as an entry. Nothing was sent. */
export class MessageEncodingError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_ENCODABLE';
  /** Which item of a batch it is, from 0; `undefined` where it was published alone. */
  readonly index: number | undefined;

  constructor(
    readonly stream: string,
    readonly reason: string,
    { index, ...options }: ErrorOptions & { readonly index?: number } = {},
  ) {
    super(messageNotEncodable(stream, reason, index), options);
    this.index = index;
  }
}
