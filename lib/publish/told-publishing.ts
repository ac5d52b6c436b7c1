import { channels } from '../events/channels.js';
import { follow, operations, type OutgoingMessage } from '../events/operations.js';
import { PublishBatchError, PublishError } from '../errors/client.errors.js';
import { eachItem, encodeBatch, type EncodedBatch } from './encode-batch.js';
import type {
  EncodedMessage,
  MessageDraft,
  MessageEncoder,
  OutgoingPacket,
} from './message-encoder.js';
import type { PublishReceipt } from './publish-receipt.js';

/** Whether anybody follows what is published: only then it takes the way of this file. */
export const isPublishingHeard = (): boolean =>
  operations.publish.hasSubscribers ||
  channels.published.hasSubscribers ||
  channels.publishFailed.hasSubscribers;

/** Publishes one message, and tells of it. Subscribers can set headers before it is encoded. */
export async function publishTold(
  encoder: MessageEncoder,
  draft: MessageDraft,
  send: (message: EncodedMessage) => Promise<PublishReceipt>,
): Promise<PublishReceipt> {
  const { stream } = draft;
  const about = outgoing(draft);
  const began = performance.now();
  const publish = async (): Promise<PublishReceipt> =>
    send(encoder.write(withHeaders(encoder, draft, about)));
  try {
    const operation = { stream, isBatch: false, messages: [about] };
    const receipt = await follow(operations.publish, operation, publish);
    tellPublished(about, receipt, began);
    return receipt;
  } catch (error) {
    tellFailed(stream, about, error instanceof PublishError && error.ambiguous, began, error);
    throw error;
  }
}

/** Publishes many messages of one stream as one operation, and tells of each. */
export async function publishBatchTold(
  encoder: MessageEncoder,
  stream: string,
  packets: readonly OutgoingPacket[],
  send: (batch: EncodedBatch) => Promise<PublishReceipt[]>,
): Promise<PublishReceipt[]> {
  const drafts = draftsOf(encoder, stream, packets);
  const messages = drafts.map((draft) => outgoing(draft));
  const began = performance.now();
  const publish = async (): Promise<PublishReceipt[]> =>
    send(
      encodeBatch(stream, drafts, (draft, index) =>
        encoder.write(withHeaders(encoder, draft, messages[index])),
      ),
    );
  try {
    const operation = { stream, isBatch: true, messages };
    const receipts = await follow(operations.publish, operation, publish);
    receipts.forEach((receipt, index) => tellPublished(messages[index], receipt, began));
    return receipts;
  } catch (error) {
    const items = error instanceof PublishBatchError ? error.items : [];
    messages.forEach((about, index) => {
      const item = items[index];
      if (item?.state === 'published') tellPublished(about, { stream, ...item }, began);
      else tellFailed(stream, about, item?.state === 'ambiguous', began, error);
    });
    throw error;
  }
}

function draftsOf(
  encoder: MessageEncoder,
  stream: string,
  packets: readonly OutgoingPacket[],
): MessageDraft[] {
  try {
    return eachItem(stream, packets, (packet) => encoder.draft(packet));
  } catch (error) {
    // The first item that cannot be encoded may be one before it.
    eachItem(stream, packets, (packet) => encoder.encode(packet));
    throw error;
  }
}

const outgoing = ({ envelope: { name, messageId, headers } }: MessageDraft): OutgoingMessage => ({
  name,
  messageId,
  headers: { ...headers },
});

/**
 * What was set is text, or it does not travel: a header of another kind would be a dead letter at the other end. Where
 * entries have no place for headers, who follows a message must not be why it is refused.
 */
function withHeaders(
  encoder: MessageEncoder,
  draft: MessageDraft,
  about: OutgoingMessage | undefined,
): MessageDraft {
  if (!encoder.hasHeaders(draft.stream)) return draft;
  const set = Object.entries(about?.headers ?? {}).filter(([, value]) => typeof value === 'string');
  const headers = set.length === 0 ? undefined : Object.fromEntries(set);
  return { ...draft, envelope: { ...draft.envelope, headers } };
}

function tellPublished(
  about: OutgoingMessage | undefined,
  { stream, messageId, entryId, duplicate }: PublishReceipt,
  began: number,
): void {
  if (about === undefined || !channels.published.hasSubscribers) return;
  const durationMs = performance.now() - began;
  const { name } = about;
  channels.published.publish({ stream, name, messageId, entryId, duplicate, durationMs });
}

function tellFailed(
  stream: string,
  { name, messageId }: OutgoingMessage,
  ambiguous: boolean,
  began: number,
  error: unknown,
): void {
  if (!channels.publishFailed.hasSubscribers) return;
  const durationMs = performance.now() - began;
  channels.publishFailed.publish({ stream, name, messageId, ambiguous, durationMs, error });
}
