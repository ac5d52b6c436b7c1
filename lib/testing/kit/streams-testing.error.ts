import { RedisStreamsError } from '../../errors/redis-streams.error.js';
import type { MessageHistory } from './message-history.js';

/** The app did not do what a test waited for, or cannot be tested. The message says what is known. */
export class StreamsTestingError extends RedisStreamsError {
  readonly code = 'STREAMS_TESTING';

  constructor(
    message: string,
    /** What happened to the message that was waited for, where its ID is known. */
    readonly history?: MessageHistory | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
