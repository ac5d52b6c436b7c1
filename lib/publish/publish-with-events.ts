import { PublishBatchError, PublishError } from '../errors/client.errors.js';
import { channels } from '../events/channels.js';
import { follow, operations, type OutgoingMessage } from '../events/operations.js';
import type { PublishReceipt } from './entry-publisher.js';
import type { MessageDraft, MessageEncoder } from './message-encoder.js';

/** Whether anybody listens to what is published. */
export const hasPublishListeners = (): boolean =>
  operations.publish.hasSubscribers ||
  channels.published.hasSubscribers ||
  channels.publishFailed.hasSubscribers;

/**
 * Publishes as one operation that subscribers can follow, and reports what happened to each message. Subscribers can set
 * headers when the operation starts.
 *
 * @param publish is given the drafts with these headers
 */
export async function publishWithEvents<Result extends PublishReceipt | PublishReceipt[]>(
  encoder: MessageEncoder,
  call: {
    readonly stream: string;
    readonly drafts: readonly MessageDraft[];
    readonly isBatch?: boolean;
  },
  publish: (drafts: readonly MessageDraft[]) => Promise<Result>,
): Promise<Result> {
  const { stream, drafts, isBatch = false } = call;
  const startedAt = performance.now();
  const outgoing = drafts.map((draft) => ({ draft, message: messageOf(draft) }));
  const messages = outgoing.map(({ message }) => message);
  const run = async (): Promise<Result> =>
    // A subscriber must not be the reason why a message is refused.
    publish(encoder.hasHeaders(stream) ? outgoing.map(withHeaders) : drafts);
  try {
    const result = await follow(operations.publish, { stream, isBatch, messages }, run);
    [result].flat().forEach((receipt, index) => {
      reportPublished(messages[index], receipt, startedAt);
    });
    return result;
  } catch (error) {
    const items = error instanceof PublishBatchError ? error.items : [];
    messages.forEach((message, index) => {
      const item = items[index];
      if (item?.state === 'published') reportPublished(message, { stream, ...item }, startedAt);
      else {
        const ambiguous =
          item?.state === 'ambiguous' || (error instanceof PublishError && error.ambiguous);
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
function withHeaders({
  draft,
  message,
}: {
  readonly draft: MessageDraft;
  readonly message: OutgoingMessage;
}): MessageDraft {
  const set = Object.entries(message.headers).filter(([, value]) => typeof value === 'string');
  const headers = set.length === 0 ? undefined : Object.fromEntries(set);
  return { ...draft, envelope: { ...draft.envelope, headers } };
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
