import { RedisStreamsError } from './redis-streams.error.js';
import { notSupported } from './errors.messages.js';

/** Something that Nest's interfaces offer and this version does not have. */
export class NotSupportedError extends RedisStreamsError {
  readonly code = 'NOT_SUPPORTED';

  constructor(
    readonly feature: string,
    readonly instead: string,
  ) {
    super(notSupported(feature, instead));
  }
}
