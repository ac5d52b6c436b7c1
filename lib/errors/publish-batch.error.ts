import { RedisStreamsError } from './redis-streams.error.js';
import { publishBatchFailed } from './errors.messages.js';

/** What became of one item of a batch that was not confirmed as a whole. */
export type PublishBatchItem =
  | {
      readonly state: 'published';
      readonly messageId: string;
      /** `null` where the message waits to be published later. */
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
 * `emitBatch()` could not confirm that Redis has all of its messages; it may have some. Publish those again that are not
 * `published`, with the same message IDs: within the windows of the ledgers each is then handled once.
 */
export class PublishBatchError extends RedisStreamsError {
  readonly code = 'PUBLISH_BATCH_FAILED';
  /** Whether one of the messages at least may have arrived without a confirmation. */
  readonly ambiguous: boolean;

  constructor(
    readonly stream: string,
    /** For each item, in their order, what became of it. */
    readonly items: readonly PublishBatchItem[],
    /** Why the first one that was not confirmed was not. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    const count = (state: PublishBatchItem['state']): number =>
      items.filter((item) => item.state === state).length;
    const ambiguous = count('ambiguous');
    super(publishBatchFailed(stream, items.length, count('published'), ambiguous, reason), options);
    this.ambiguous = ambiguous > 0;
  }
}
