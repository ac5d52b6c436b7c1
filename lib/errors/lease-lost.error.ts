import { leaseLost } from './errors.messages.js';
import { RedisStreamsError } from './redis-streams.error.js';

/** The reason of a handler's signal when another consumer has its message now: what it still does may be done twice. */
export class LeaseLostError extends RedisStreamsError {
  readonly code = 'LEASE_LOST';

  constructor(
    readonly stream: string,
    readonly entryId: string,
  ) {
    super(leaseLost(stream, entryId));
  }
}
