import { settledAlready } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/** `ack()`, `retry()` or `deadLetter()` was called on a context that one of them was called on before. */
export class SettledAlreadyError extends RedisStreamsError {
  readonly code = 'SETTLED_ALREADY';

  constructor(readonly entryId: string) {
    super(settledAlready(entryId));
  }
}
