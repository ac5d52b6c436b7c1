import type { ClientPublisher } from './client-publisher.js';
import { encodeBatch, type EncodedBatch } from './encode-batch.js';
import type { EncodedMessage, MessageEncoder, OutgoingPacket } from './message-encoder.js';
import { publishInRounds } from './publish-in-rounds.js';
import type { PublishReceipt } from './publish-receipt.js';
import type { SendingOrder } from './sending-order.js';
import { isPublishingHeard, publishBatchTold, publishTold } from './told-publishing.js';

/** What a client emits, on its way: encoded, valid, in its order, and told of where anybody listens. */
export class OutgoingMessages {
  /** @param open gives what publishes, and connects first if it has to */
  constructor(
    private readonly encoder: MessageEncoder,
    private readonly order: SendingOrder,
    private readonly open: () => { readonly publisher: ClientPublisher },
  ) {}

  /** @throws what makes it no message at all, at once */
  send(packet: OutgoingPacket): Promise<PublishReceipt> {
    return isPublishingHeard()
      ? publishTold(this.encoder, this.encoder.draft(packet), (message) => this.sendOne(message))
      : this.sendOne(this.encoder.encode(packet));
  }

  /** @param packetOf makes Nest's packet of an item */
  async sendAll(
    stream: string,
    items: readonly unknown[],
    packetOf: (item: unknown) => OutgoingPacket,
  ): Promise<PublishReceipt[]> {
    const send = (batch: EncodedBatch): Promise<PublishReceipt[]> => this.sendBatch(stream, batch);
    return isPublishingHeard() && isWhole(items)
      ? publishBatchTold(this.encoder, stream, items.map(packetOf), send)
      : send(encodeBatch(stream, items, (item) => this.encoder.encode(packetOf(item))));
  }

  private sendOne(message: EncodedMessage): Promise<PublishReceipt> {
    const { publisher } = this.open();
    return this.order.send(message.stream, message.whenValid, () => publisher.publish(message));
  }

  private async sendBatch(
    stream: string,
    { messages, whenValid }: EncodedBatch,
  ): Promise<PublishReceipt[]> {
    if (messages.length === 0) return [];
    const { publisher } = this.open();
    return this.order.send(stream, whenValid, () => publishInRounds(publisher, stream, messages));
  }
}

/** Whether there is something, and nothing is missing: what is wrong otherwise is said where it is encoded. */
const isWhole = (items: readonly unknown[]): boolean =>
  Array.isArray(items) && items.length > 0 && items.every((item: unknown) => item != null);
