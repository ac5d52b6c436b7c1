import { PublishBatchError, PublishError } from '../errors/client.errors.js';
import { isA } from '../errors/thrown.js';
import { channels } from '../events/channels.js';
import {
  follow,
  operations,
  type OutgoingMessage,
  type PublishOperation,
} from '../events/operations.js';
import type { EntryPublisher, PublishReceipt } from './entry-publisher.js';
import type {
  EncodedMessage,
  MessageDraft,
  MessageEncoder,
  OutgoingPacket,
  Validation,
} from './message-encoder.js';
import { draftItems, encodeItems, publishInRounds, validationOf } from './publish-items.js';

/**
 * Publishes what a client emits, from Nest's packet to the receipt.
 *
 * A single message passes no async function, unless somebody listens to events: each promise costs it a microsecond.
 */
export class MessagePublisher {
  /** The last call of each stream for which something waits. */
  private readonly waiting = new Map<string, Promise<StartedCall>>();

  /** @param entryPublisher returns the publisher of the open connection, and opens one first if necessary */
  constructor(
    private readonly encoder: MessageEncoder,
    private readonly entryPublisher: () => EntryPublisher,
  ) {}

  /** @throws at once if the packet cannot be published */
  publish(packet: OutgoingPacket): Promise<PublishReceipt> {
    const draft = this.encoder.draft(packet);
    return withEvents(this.encoder, draft, (changed) => this.send(this.encoder.encode(changed)));
  }

  /** Sends an encoded message: at once, or after those of its stream that still wait for their schemas. */
  send(
    message: EncodedMessage,
    publisher: EntryPublisher = this.entryPublisher(),
  ): Promise<PublishReceipt> {
    return this.inOrder(message.stream, message.validation, () => publisher.publish(message));
  }

  /**
   * Publishes many messages of one stream.
   *
   * @param packetOf makes Nest's packet of an item
   */
  async publishBatch(
    stream: string,
    items: readonly unknown[],
    packetOf: (item: unknown) => OutgoingPacket,
  ): Promise<PublishReceipt[]> {
    const drafts = draftItems(this.encoder, stream, items, packetOf);
    if (drafts.length === 0) return [];
    return batchWithEvents(this.encoder, stream, drafts, async (changed) => {
      const messages = encodeItems(this.encoder, stream, changed);
      const publisher = this.entryPublisher();
      return this.inOrder(stream, validationOf(messages), () =>
        publishInRounds(publisher, stream, messages),
      );
    });
  }

  /** Resolves once no message waits for a schema: all are being sent, or were refused. */
  async allSent(): Promise<void> {
    await Promise.all(this.waiting.values());
  }

  private inOrder<Result>(
    stream: string,
    validation: Validation | undefined,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const before = this.waiting.get(stream);
    return validation === undefined && before === undefined
      ? send()
      : this.sendAfter(stream, before, validation, send);
  }

  private async sendAfter<Result>(
    stream: string,
    before: Promise<StartedCall> | undefined,
    validation: Validation | undefined,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const call = Promise.all([validation, before]).then(([error]) => ({
      result: error === undefined ? startAsync(send) : Promise.reject<Result>(error),
    }));
    this.waiting.set(stream, call);
    const { result } = await call;
    if (this.waiting.get(stream) === call) this.waiting.delete(stream);
    return result;
  }
}

/** The result is in an object, so that whoever awaits the call does not wait for its result. */
interface StartedCall {
  readonly result: Promise<unknown>;
}

/** An error that `start` throws becomes a rejection. */
const startAsync = async <Result>(start: () => Promise<Result>): Promise<Result> => start();

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
const batchWithEvents = (
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
