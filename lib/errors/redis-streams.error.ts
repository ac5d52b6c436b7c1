import { shareClasses } from './copies.js';
import { cutText, shown, visible } from './thrown.js';

/** The longest message: what is in it is bounded, but could be much at once. */
const LONGEST = 8_192;

/** The base class of every error that this package throws on purpose: `catch` it to tell them from others. */
export abstract class RedisStreamsError extends Error {
  /** Stays the same from release to release, for programs to compare. */
  abstract readonly code: string;

  /** @param form `lines` for errors of tests, which show many lines; else names and IDs in the message cannot break its line */
  constructor(message: string, options?: ErrorOptions, form: 'line' | 'lines' = 'line') {
    super(form === 'lines' ? message : visible(cutText(message, LONGEST)), options);
    this.name = new.target.name;
  }
}

/**
 * An option is unknown, of the wrong type, out of range, or contradicts another one. Thrown when the options are passed in:
 * by the module, a constructor or `subscription()`, or by `listen()` if handlers disagree.
 */
export class InvalidOptionsError extends RedisStreamsError {
  readonly code = 'INVALID_OPTIONS';

  constructor(
    /** The path of the option, as one would write it: `streams.orders.retention.maxAgeMs`. */
    readonly path: string,
    /** What was given, shortened; never a secret. */
    readonly given: string,
    /** What is allowed instead. */
    readonly allowed: string,
    options?: ErrorOptions,
  ) {
    super(`Option "${path}": given ${given}, allowed: ${allowed}`, options);
  }
}

const NAMES_ALLOWED =
  'allowed is a name that is not empty and has no unpaired surrogates, and braces only as a hash tag that ' +
  'Redis Cluster reads, such as "{eu}:orders"';

/**
 * A stream's name is empty, has braces that Redis Cluster would not read as a hash tag, or would give the stream keys that belong to
 * something else.
 */
export class InvalidStreamNameError extends RedisStreamsError {
  readonly code = 'INVALID_STREAM_NAME';

  constructor(
    readonly stream: string,
    /** Why it is refused, or what is allowed. */
    readonly reason: string = NAMES_ALLOWED,
  ) {
    super(`Stream name "${shown(stream)}": ${reason}`);
  }
}

shareClasses({ RedisStreamsError, InvalidOptionsError, InvalidStreamNameError });
