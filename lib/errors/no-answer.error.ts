import { RedisStreamsError } from './redis-streams.error.js';
import { noAnswer } from './errors.messages.js';

/** Redis was asked something and did not answer in time, or there is no connection to ask it on. */
export class NoAnswerError extends RedisStreamsError {
  readonly code = 'NO_ANSWER';

  constructor(
    /** How long it was waited for. */
    readonly timeoutMs: number,
  ) {
    super(noAnswer(timeoutMs));
  }
}
