import { jobFailedFor } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/** A job could not do its work for some streams; for the others it did. `cause` is what went wrong with the first. */
export class JobFailedError extends RedisStreamsError {
  readonly code = 'JOB_FAILED';

  constructor(
    /** Those for which it failed. */
    readonly streams: readonly string[],
    /** How many things it removed all the same. */
    readonly removed: number,
    reason: string,
    options: ErrorOptions,
  ) {
    super(jobFailedFor(streams, reason), options);
  }
}
