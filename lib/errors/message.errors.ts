import { shareClasses } from './copies.js';
import { shown } from './thrown.js';
import { RedisStreamsError } from './redis-streams.error.js';

/** Which item of a batch an error is about. */
interface BatchItem {
  readonly index?: number;
}

/** A payload, or what goes with it, cannot be written as an entry. Nothing was sent. */
export class MessageEncodingError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_ENCODABLE';
  /** The item's index in its batch, from 0; `undefined` if the message was published alone. */
  readonly index: number | undefined;

  constructor(
    readonly stream: string,
    readonly reason: string,
    { index, ...options }: ErrorOptions & BatchItem = {},
  ) {
    super(
      index === undefined
        ? `A message for stream "${shown(stream)}" cannot be encoded, nothing was sent: ${reason}`
        : `Item ${index} of a batch for stream "${shown(stream)}" cannot be encoded, nothing of it was sent: ${reason}`,
      options,
    );
    this.index = index;
  }
}

/** An entry's fields are not what the codec reads. The entry is left as it is. */
export class MessageDecodingError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_DECODABLE';

  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`The entry cannot be decoded: ${reason}`, options);
  }
}

/** What a schema says about one part of a payload. */
export interface ValidationIssue {
  /** The path of that part: `items[0].id`; empty for the payload itself. */
  readonly path: string;
  /** What is wrong, in the words of the schema's library. */
  readonly message: string;
}

/**
 * A payload does not fit the schema of its stream. If it was to be published, nothing was sent; if it was consumed, this is
 * the error of its dead letter.
 */
export class MessageValidationError extends RedisStreamsError {
  readonly code = 'MESSAGE_NOT_VALID';
  /** The first ten issues, each cut to 200 characters. Empty if the schema itself failed: then there is a `cause`. */
  readonly issues: readonly ValidationIssue[];
  /** The item's index in its batch, from 0; `undefined` if the message was published alone. */
  readonly index: number | undefined;

  constructor(
    readonly stream: string,
    /** The issues as one text. */
    readonly reason: string,
    {
      issues = [],
      index,
      ...options
    }: ErrorOptions & BatchItem & { readonly issues?: readonly ValidationIssue[] } = {},
  ) {
    super(
      index === undefined
        ? `A message of stream "${shown(stream)}" does not fit its schema: ${reason}`
        : `Item ${index} of a batch for stream "${shown(stream)}" does not fit its schema, nothing of it was sent: ${reason}`,
      options,
    );
    this.issues = issues;
    this.index = index;
  }
}

shareClasses({ MessageEncodingError, MessageDecodingError, MessageValidationError });
