import { RedisStreamsError } from './redis-streams.error.js';
import { messageNotValid } from './errors.messages.js';

/** What a schema has to say about a part of a payload. */
export interface ValidationIssue {
  /** Where it is: `items[0].id`; empty where it is the payload itself. */
  readonly path: string;
  /** What is wrong, in the words of the schema's library. */
  readonly message: string;
}

/**
 * A payload does not fit the schema of its stream. Where it was to be published, nothing was sent; where it was consumed, it is
 * the error of its dead letter.
 */
export class MessageValidationError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_VALID';
  /** The first ten issues, each cut to 200 characters; none where the schema itself failed: then there is a `cause`. */
  readonly issues: readonly ValidationIssue[];
  /** Which item of a batch it is, from 0; `undefined` where it was published alone. */
  readonly index: number | undefined;

  constructor(
    readonly stream: string,
    /** The issues as one text. */
    readonly reason: string,
    {
      issues = [],
      index,
      ...options
    }: ErrorOptions & {
      readonly issues?: readonly ValidationIssue[];
      readonly index?: number;
    } = {},
  ) {
    super(messageNotValid(stream, reason, index), options);
    this.issues = issues;
    this.index = index;
  }
}
