import { shareClasses } from './copies.js';
import { shown } from './thrown.js';
import { RedisStreamsError } from './redis-streams.error.js';

/**
 * `emit()` could not confirm that Redis has the message. Publish it again with the same `messageId`: within
 * the windows of the ledgers it is then handled once, whether or not this one arrived.
 */
export class PublishError extends RedisStreamsError {
  readonly code = 'PUBLISH_FAILED';

  constructor(
    readonly stream: string,
    /** The ID that was fixed at the call. */
    readonly messageId: string,
    /** `true` if the message may have arrived, `false` if it certainly did not. */
    readonly ambiguous: boolean,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(
      `Message ${shown(messageId)} for stream "${shown(stream)}" was not confirmed: ${reason}. ` +
        (ambiguous
          ? 'It may have arrived: publish it again with the same message ID.'
          : 'It did not arrive: publish it again.'),
      options,
    );
  }
}

/** What became of one item of a batch that was not confirmed as a whole. */
export type PublishBatchItem =
  | {
      readonly state: 'published';
      readonly messageId: string;
      /** `null` if the message waits to be published later. */
      readonly entryId: string | null;
      readonly duplicate: boolean;
    }
  | {
      /** `ambiguous`: it may have arrived; `not-published`: it certainly did not. */
      readonly state: 'ambiguous' | 'not-published';
      readonly messageId: string;
      readonly reason: string;
    };

/**
 * `emitBatch()` could not confirm that Redis has all of its messages; it may have some. Publish those that are not
 * `published` again, with the same message IDs: within the windows of the ledgers each is then handled once.
 */
export class PublishBatchError extends RedisStreamsError {
  readonly code = 'PUBLISH_BATCH_FAILED';
  /** Whether at least one of the messages may have arrived without a confirmation. */
  readonly ambiguous: boolean;

  constructor(
    readonly stream: string,
    /** What became of each item, in their order. */
    readonly items: readonly PublishBatchItem[],
    /** Why the first unconfirmed item was not confirmed. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    const count = (state: PublishBatchItem['state']): number =>
      items.filter((item) => item.state === state).length;
    const [published, ambiguous] = [count('published'), count('ambiguous')];
    super(
      `A batch of ${items.length} messages for stream "${shown(stream)}" was not confirmed: ${reason}. ` +
        `${published} are published, ${ambiguous} may be, ${count('not-published')} are not: ` +
        'publish the others again with the same message IDs.',
      options,
    );
    this.ambiguous = ambiguous > 0;
  }
}

/** `cancel()` could not find out whether the message will be published. It is safe to cancel it again. */
export class CancelError extends RedisStreamsError {
  readonly code = 'CANCEL_FAILED';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    /** `true` if it may be cancelled: a second `cancel()` would then return `false`. `false` if it certainly is not. */
    readonly ambiguous: boolean,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(
      `Whether message ${shown(messageId)} for stream "${shown(stream)}" is cancelled was not confirmed: ${reason}. ` +
        (ambiguous ? 'It may be: cancel it again.' : 'It is not.'),
      options,
    );
  }
}

/**
 * `send()` was called with a message ID that was already published within the window of `publishDedup`. Nothing was sent. If
 * the first message was a request, its sender gets the replies.
 */
export class DuplicateRequestError extends RedisStreamsError {
  readonly code = 'DUPLICATE_REQUEST';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    /** The entry that was written first. */
    readonly entryId: string,
  ) {
    super(
      `Request ${shown(messageId)} on stream "${shown(stream)}" was not sent: a message with its ID was published already, and whoever ` +
        'sent that one gets the replies',
    );
  }
}

/**
 * `send()` got no reply for `requestTimeoutMs`, or no further value of an Observable. A handler that has not started by
 * then never starts; one that has may have done its work.
 */
export class RequestTimeoutError extends RedisStreamsError {
  readonly code = 'REQUEST_TIMEOUT';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    readonly timeoutMs: number,
  ) {
    super(
      `No reply to request ${shown(messageId)} on stream "${shown(stream)}" within ${timeoutMs} ms`,
    );
  }
}

/** In an error. */
const MOST_GROUPS = 10;

/**
 * `send()` asked a stream that nobody reads: it has no group, or no group with a living consumer for about a minute. The request
 * is not run, even if a consumer starts later.
 */
export class NoConsumerError extends RedisStreamsError {
  readonly code = 'NO_CONSUMER';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    /** The groups of the stream. */
    readonly groups: readonly string[],
  ) {
    const some = groups.slice(0, MOST_GROUPS).map((group) => `"${shown(group)}"`);
    if (groups.length > MOST_GROUPS) some.push(`${groups.length - MOST_GROUPS} more`);
    super(
      `Nobody reads stream "${shown(stream)}", so request ${shown(messageId)} would get no reply: ` +
        (groups.length === 0
          ? 'it has no group. '
          : `none of its groups has a living consumer (${some.join(', ')}). `) +
        'Start the service that answers it, or check the name of the stream and keyPrefix',
    );
  }
}

/**
 * A handler that gives many values did not finish and was started again after some of its values had arrived. To continue with
 * the values of the other run would give values twice, or out of order. Send the request again.
 */
export class ReplyInterruptedError extends RedisStreamsError {
  readonly code = 'REPLY_INTERRUPTED';

  constructor(
    readonly stream: string,
    readonly messageId: string,
  ) {
    super(
      `The replies to request ${shown(messageId)} on stream "${shown(stream)}" broke off: its handler was started again, and would give ` +
        'values that were given already',
    );
  }
}

shareClasses({
  PublishError,
  PublishBatchError,
  CancelError,
  DuplicateRequestError,
  RequestTimeoutError,
  NoConsumerError,
  ReplyInterruptedError,
});
