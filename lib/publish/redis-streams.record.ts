import { shareClasses } from '../errors/copies.js';

/** A payload with its options, made by {@link RedisStreamsRecordBuilder}. */
export class RedisStreamsRecord<Payload = unknown> {
  constructor(
    readonly payload: Payload,
    readonly options: RedisStreamsRecordOptions = {},
  ) {}
}

/** What can be set for a message. */
export interface RedisStreamsRecordOptions {
  readonly messageId?: string;
  readonly name?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly delayMs?: number;
  readonly deliverAt?: Date;
}

const OPTIONS: Readonly<Record<keyof RedisStreamsRecordOptions, true>> = {
  messageId: true,
  name: true,
  headers: true,
  key: true,
  delayMs: true,
  deliverAt: true,
};

export const isRecordOption = (name: string): boolean => Object.hasOwn(OPTIONS, name);

export const RECORD_OPTIONS = Object.keys(OPTIONS).join(', ');

/**
 * Builds a message that is more than its payload.
 *
 * @example
 * ```ts
 * const record = new RedisStreamsRecordBuilder(order).setMessageId(order.id).build();
 * await firstValueFrom(client.emit('orders', record));
 * ```
 */
export class RedisStreamsRecordBuilder<Payload> {
  private options: RedisStreamsRecordOptions = {};

  constructor(private readonly payload: Payload) {}

  /** The ID by which duplicates are recognized; a generated UUID unless set. */
  setMessageId(messageId: string): this {
    return this.set({ messageId });
  }

  /** The kind of message; the stream's name unless set. */
  setName(name: string): this {
    return this.set({ name });
  }

  /** Texts by name, for `getHeaders()` in the handler. */
  setHeaders(headers: Record<string, string>): this {
    return this.set({ headers: { ...headers } });
  }

  /**
   * The ordering key: what messages that belong together share, an order's number for example. On a stream with `partitions`,
   * messages of one key are in one partition, and each group handles them one after the other. On other streams it is only for
   * `getKey()` in the handler.
   */
  setKey(key: string): this {
    return this.set({ key });
  }

  /**
   * Publishes the message after this many ms, 0 or more, by Redis's clock. It waits in Redis meanwhile; the client's `cancel()`
   * takes it back.
   */
  setDelayMs(delayMs: number): this {
    return this.set({ delayMs });
  }

  /** Publishes the message at this time, by Redis's clock; at once if it has passed. Not together with `setDelayMs()`. */
  setDeliverAt(deliverAt: Date): this {
    return this.set({ deliverAt });
  }

  build(): RedisStreamsRecord<Payload> {
    return new RedisStreamsRecord(this.payload, this.options);
  }

  private set(option: RedisStreamsRecordOptions): this {
    this.options = { ...this.options, ...option };
    return this;
  }
}

shareClasses({ RedisStreamsRecord, RedisStreamsRecordBuilder });
