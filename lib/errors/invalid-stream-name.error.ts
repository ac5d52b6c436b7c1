import { RedisStreamsError } from './redis-streams.error.js';
import { invalidStreamName } from './errors.messages.js';

/** A stream's name is empty, or has braces that Redis Cluster would not read as a hash tag. */
export class InvalidStreamNameError extends RedisStreamsError {
  readonly code = 'INVALID_STREAM_NAME';

  constructor(readonly stream: string) {
    super(invalidStreamName(stream));
  }
}
