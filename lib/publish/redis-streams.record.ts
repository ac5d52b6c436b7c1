/** A payload and what goes with it, as {@link RedisStreamsRecordBuilder} makes it. */
export class RedisStreamsRecord<Payload = unknown> {
  constructor(
    readonly payload: Payload,
    readonly options: RedisStreamsRecordOptions = {},
  ) {}
}

/** What can go with a payload. */
export interface RedisStreamsRecordOptions {
  readonly messageId?: string;
  readonly name?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly delayMs?: number;
  readonly deliverAt?: Date;
}

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

  /** The ID by which the message is known as a duplicate; a UUID is made where none is set. */
  setMessageId(messageId: string): this {
    return this.set({ messageId });
  }

  /** What kind of message it is; the stream's name where none is set. */
  setName(name: string): this {
    return this.set({ name });
  }

  /** Text by name, for `getHeaders()` at the other end. */
  setHeaders(headers: Record<string, string>): this {
    return this.set({ headers: { ...headers } });
  }

  /**
   * The ordering key: what belongs together, an order's number for example. On a stream with `partitions`, messages of one key
   * are in one partition, and are handled one after the other in each group. On others it is for `getKey()` at the other end.
   */
  setKey(key: string): this {
    return this.set({ key });
  }

  /**
   * Has it published so many ms from the call on, 0 or more, by Redis's clock. It waits in Redis meanwhile; `cancel()` of the
   * client takes it back.
   */
  setDelayMs(delayMs: number): this {
    return this.set({ delayMs });
  }

  /** Has it published at a time, by Redis's clock; at once where that is past. Not beside `setDelayMs()`. */
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
