import type { EntryPublisher, PublishReceipt } from './entry-publisher.js';
import type {
  EncodedMessage,
  MessageEncoder,
  OutgoingPacket,
  Validation,
} from './message-encoder.js';
import { draftItems, encodeItems, publishInRounds, validationOf } from './publish-items.js';
import { batchWithEvents, withEvents } from './publish-with-events.js';

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
