import { channels } from '../events/channels.js';
import { operations, type OutgoingMessage } from '../events/operations.js';
import { PublishBatchError } from '../errors/publish-batch.error.js';
import { PublishError } from '../errors/publish.error.js';
import { eachItem, type MessageEncoder, type OutgoingPacket } from './message-encoder.js';
import type { PublishReceipt } from './publish-receipt.js';
import type { Publishing } from './publishing.js';
import type { OutgoingEnvelope } from './to-envelope.js';

/** Whether anybody follows what is published: only then it takes the way of this file. */
export const isPublishingHeard = (): boolean =>
  operations.publish.hasSubscribers ||
  channels.published.hasSubscribers ||
  channels.publishFailed.hasSubscribers;

/** Publishes one message, and tells of it. Subscribers can set headers before it is encoded. */
export async function publishTold(
  encoder: MessageEncoder,
  packet: OutgoingPacket,
  send: (message: Publishing) => Promise<PublishReceipt>,
): Promise<PublishReceipt> {
  const { stream, envelope } = encoder.envelopeOf(packet);
  const about = outgoing(envelope);
  const began = performance.now();
  const publish = async (): Promise<PublishReceipt> =>
    send(encoder.write(stream, withHeaders(envelope, about)));
  try {
    const receipt = await operations.publish.tracePromise(publish, {
      stream,
      isBatch: false,
      messages: [about],
    });
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
  send: (messages: Publishing[]) => Promise<PublishReceipt[]>,
): Promise<PublishReceipt[]> {
  const envelopes = envelopesOf(encoder, stream, packets);
  const messages = envelopes.map((envelope) => outgoing(envelope));
  const began = performance.now();
  const publish = async (): Promise<PublishReceipt[]> =>
    send(
      eachItem(stream, envelopes, (envelope, index) =>
        encoder.write(stream, withHeaders(envelope, messages[index])),
      ),
    );
  try {
    const operation = { stream, isBatch: true, messages };
    const receipts = await operations.publish.tracePromise(publish, operation);
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

function envelopesOf(
  encoder: MessageEncoder,
  stream: string,
  packets: readonly OutgoingPacket[],
): OutgoingEnvelope[] {
  try {
    return eachItem(stream, packets, (packet) => encoder.envelopeOf(packet).envelope);
  } catch (error) {
    // The first item that cannot be encoded may be one before it.
    eachItem(stream, packets, (packet) => encoder.encode(packet));
    throw error;
  }
}

const outgoing = ({ name, messageId, headers }: OutgoingEnvelope): OutgoingMessage => ({
  name,
  messageId,
  headers: { ...headers },
});

/** What was set is text, or it does not travel: a header of another kind would be a dead letter at the other end. */
function withHeaders(
  envelope: OutgoingEnvelope,
  about: OutgoingMessage | undefined,
): OutgoingEnvelope {
  const set = Object.entries(about?.headers ?? {}).filter(([, value]) => typeof value === 'string');
  return { ...envelope, headers: set.length === 0 ? undefined : Object.fromEntries(set) };
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
