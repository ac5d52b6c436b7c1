import { PublishBatchError, PublishError } from '../errors/client.errors.js';
import { isA } from '../errors/thrown.js';
import { channels } from '../events/channels.js';
import {
  follow,
  operations,
  type OutgoingMessage,
  type PublishOperation,
} from '../events/operations.js';
import type { PublishReceipt } from './entry-publisher.js';
import type { MessageDraft, MessageEncoder } from './message-encoder.js';

const hasListeners = (): boolean =>
  operations.publish.hasSubscribers ||
  channels.published.hasSubscribers ||
  channels.publishFailed.hasSubscribers;

/**
 * Publishes a message. If somebody listens, it does so as an operation that subscribers can follow, and reports what happened.
 * Subscribers may set headers when the operation starts.
 *
 * @param publish is given the draft with these headers
 */
export const withEvents = (
  encoder: MessageEncoder,
  draft: MessageDraft,
  publish: (draft: MessageDraft) => Promise<PublishReceipt>,
): Promise<PublishReceipt> =>
  hasListeners()
    ? publishAndReport(
        encoder,
        { stream: draft.stream, isBatch: false, drafts: [draft] },
        (drafts) => publish(drafts[0] ?? draft),
      )
    : publish(draft);

/** As {@link withEvents}: many messages of one stream are one operation, and each is reported. */
export const batchWithEvents = (
  encoder: MessageEncoder,
  stream: string,
  drafts: readonly MessageDraft[],
  publish: (drafts: readonly MessageDraft[]) => Promise<PublishReceipt[]>,
): Promise<PublishReceipt[]> =>
  hasListeners()
    ? publishAndReport(encoder, { stream, isBatch: true, drafts }, publish)
    : publish(drafts);

async function publishAndReport<Result extends PublishReceipt | PublishReceipt[]>(
  encoder: MessageEncoder,
  {
    stream,
    isBatch,
    drafts,
  }: Pick<PublishOperation, 'stream' | 'isBatch'> & {
    readonly drafts: readonly MessageDraft[];
  },
  publish: (drafts: readonly MessageDraft[]) => Promise<Result>,
): Promise<Result> {
  const startedAt = performance.now();
  const messages = drafts.map(messageOf);
  const withHeaders = (draft: MessageDraft, index: number): MessageDraft => ({
    ...draft,
    envelope: { ...draft.envelope, headers: textHeaders(messages[index]) },
  });
  const run = async (): Promise<Result> =>
    // A codec without headers would refuse them, and a subscriber must not be the reason of that.
    publish(encoder.hasHeaders(stream) ? drafts.map(withHeaders) : drafts);
  try {
    const result = await follow(operations.publish, { stream, isBatch, messages }, run);
    [result].flat().forEach((receipt, index) => {
      reportPublished(messages[index], receipt, startedAt);
    });
    return result;
  } catch (error) {
    const items = isA(error, PublishBatchError) ? error.items : [];
    messages.forEach((message, index) => {
      const item = items[index];
      if (item?.state === 'published') reportPublished(message, { stream, ...item }, startedAt);
      else {
        const ambiguous =
          item?.state === 'ambiguous' || (isA(error, PublishError) && error.ambiguous);
        reportFailed(stream, message, ambiguous, startedAt, error);
      }
    });
    throw error;
  }
}

const messageOf = ({ envelope: { name, messageId, headers } }: MessageDraft): OutgoingMessage => ({
  name,
  messageId,
  headers: { ...headers },
});

/** Leaves out headers that are not text: an entry that has one would become a dead letter. */
function textHeaders(message: OutgoingMessage | undefined): Record<string, string> | undefined {
  const set = Object.entries(message?.headers ?? {}).filter(
    ([, value]) => typeof value === 'string',
  );
  return set.length === 0 ? undefined : Object.fromEntries(set);
}

function reportPublished(
  message: OutgoingMessage | undefined,
  { stream, messageId, entryId, duplicate }: PublishReceipt,
  startedAt: number,
): void {
  if (message === undefined || !channels.published.hasSubscribers) return;
  const durationMs = performance.now() - startedAt;
  const { name } = message;
  channels.published.publish({ stream, name, messageId, entryId, duplicate, durationMs });
}

function reportFailed(
  stream: string,
  { name, messageId }: OutgoingMessage,
  ambiguous: boolean,
  startedAt: number,
  error: unknown,
): void {
  if (!channels.publishFailed.hasSubscribers) return;
  const durationMs = performance.now() - startedAt;
  channels.publishFailed.publish({ stream, name, messageId, ambiguous, durationMs, error });
}
