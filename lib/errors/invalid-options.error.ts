import { RedisStreamsError } from './redis-streams.error.js';
import { invalidOption } from './errors.messages.js';

/**
 * An option was unknown, of the wrong type, out of range, or contradicted another. Raised once, where the
 * options come in: by the module, a constructor, `subscription()`, or `listen()` where handlers disagree.
 */
export class InvalidOptionsError extends RedisStreamsError {
  readonly code = 'INVALID_OPTIONS';

  constructor(
    /** Where it is, as one would write it: `streams.orders.retention.maxAgeMs`. */
    readonly path: string,
    /** What was given, shortened; never a secret. */
    readonly given: string,
    /** What is allowed there. */
    readonly allowed: string,
    options?: ErrorOptions,
  ) {
    super(invalidOption(path, given, allowed), options);
  }
}
