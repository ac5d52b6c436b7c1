import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { Observable } from 'rxjs';
import type { RedisStreamsClientOptions } from '../options/client-options.js';
import { resolveClientOptions } from '../options/resolve-options.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { RedisStreamsStatus } from '../redis/connect/connection-watch.js';
import { errorText } from '../redis/server/redis-errors.js';
import * as text from '../publish/client.messages.js';
import { eager } from '../publish/eager.js';
import { cancelDelayed } from '../publish/cancel-delayed.js';
import { MessageEncoder, type OutgoingPacket } from '../publish/message-encoder.js';
import { type OpenedClient, openClient } from './opened-client.js';
import { OutgoingMessages } from '../publish/outgoing-messages.js';
import type { PublishReceipt } from '../publish/publish-receipt.js';
import { publishTarget } from '../publish/publish-target.js';
import type { RedisStreamsClientEvents } from './redis-streams-client.events.js';
import type { RedisStreamsRecord } from '../publish/redis-streams.record.js';
import { SendingOrder } from '../publish/sending-order.js';
import type { StreamOf, TypedData, TypedPattern, UntypedPattern } from './typed-events.js';

type Listener = (...args: unknown[]) => void;

/**
 * The client: `emit('orders', order)` writes one entry, `send('quote', item)` one that is answered. It connects with the first call.
 *
 * @example
 * ```ts
 * const { entryId } = await firstValueFrom(this.client.emit('orders', order));
 * ```
 * @example With streams and payloads that the compiler checks; without, it takes any:
 * ```ts
 * type Events = { orders: Order; payments: Payment };
 * constructor(private readonly client: ClientRedisStreams<Events>) {}
 * ```
 */
@Injectable()
// Not with our own type of status: ClientsModule would not take the class then.
// oxlint-disable-next-line typescript/no-explicit-any -- so that typed and untyped clients can stand for each other
export class ClientRedisStreams<Events = any>
  extends ClientProxy<RedisStreamsClientEvents>
  implements OnApplicationShutdown
{
  private readonly logger = new Logger(ClientRedisStreams.name);
  private readonly options: ResolvedClientOptions;
  private readonly encoder: MessageEncoder;
  private readonly order = new SendingOrder();
  private readonly outgoing: OutgoingMessages;
  private readonly listeners: { event: string; callback: Listener }[] = [];
  private opened: OpenedClient | undefined;

  /** @throws InvalidOptionsError */
  constructor(
    options: RedisStreamsClientOptions | ResolvedClientOptions = {},
    /** In the module: whether a server beside it looks for what is due. */
    private readonly serverChecks?: () => boolean,
  ) {
    super();
    this.options = resolveClientOptions(options);
    this.encoder = new MessageEncoder(this.options);
    this.outgoing = new OutgoingMessages(this.encoder, this.order, () => this.open());
  }

  /** What its connection is in, now and with each change. */
  override get status(): Observable<RedisStreamsStatus> {
    return super.status as Observable<RedisStreamsStatus>;
  }

  /**
   * Publishes a message: once, now, whether or not anybody subscribes to the result.
   *
   * @param pattern the stream's name, or `{ stream, name }`, where the name is what kind of message it is
   * @param data the payload, or a record of `RedisStreamsRecordBuilder`
   * @returns one {@link PublishReceipt}, or an error: `MessageEncodingError`, or with a schema `MessageValidationError`, where
   *   nothing was sent, `PublishError` where Redis refused or did not answer within `publishTimeoutMs`. An error that nobody
   *   observes is logged.
   */
  override emit<Result = PublishReceipt, Input = unknown>(
    pattern: UntypedPattern<Events>,
    data: Input,
  ): Observable<Result>;
  // The last one, whose errors TypeScript shows. The first is what makes of any client a ClientProxy.
  override emit<Stream extends StreamOf<Events>>(
    pattern: TypedPattern<Stream>,
    data: TypedData<Events[Stream]>,
  ): Observable<PublishReceipt>;
  override emit<Result>(pattern: unknown, data: unknown): Observable<Result> {
    // What Nest refuses is refused by Nest: null and undefined, as pattern or payload.
    if (pattern == null || data == null) return super.emit(pattern, data);
    return eager(this.dispatch<Result>(pattern, data), (error) => {
      this.logger.error(text.emitFailed('emit()', errorText(error)));
    });
  }

  /**
   * Publishes many messages of one stream: once, now, in their order, whether or not anybody subscribes to the result. Up to
   * about two thousand go in one round trip; of more, each round waits for the one before it, and what else is published
   * to the stream meanwhile may come between. Where one of them cannot be encoded, none is sent.
   *
   * @param pattern the stream's name, or `{ stream, name }`
   * @param items payloads, or records of `RedisStreamsRecordBuilder`
   * @returns one list with a {@link PublishReceipt} for each, or an error: `MessageEncodingError` or `MessageValidationError` with
   *   the `index` of the first that cannot be encoded or is not valid, `PublishBatchError` where not all are confirmed, which
   *   says what became of each. An error that nobody observes is logged.
   */
  emitBatch<Input = unknown>(
    pattern: UntypedPattern<Events>,
    items: readonly (Input | RedisStreamsRecord<Input>)[],
  ): Observable<PublishReceipt[]>;
  emitBatch<Stream extends StreamOf<Events>>(
    pattern: TypedPattern<Stream>,
    items: readonly TypedData<Events[Stream]>[],
  ): Observable<PublishReceipt[]>;
  emitBatch(pattern: unknown, items: readonly unknown[]): Observable<PublishReceipt[]> {
    return eager(this.dispatchBatch(pattern, items), (error) => {
      this.logger.error(text.emitFailed('emitBatch()', errorText(error)));
    });
  }

  /**
   * Takes back a message that was to be published later; on a stream with `partitions` all of them are asked, since its key is
   * not known here.
   *
   * @param stream the stream's name
   * @returns `true` where it will not be published, so that its ID is free again; `false` where none of this ID waits
   * @throws CancelError where Redis refused or did not answer within `publishTimeoutMs`
   */
  async cancel(stream: string, messageId: string): Promise<boolean> {
    return cancelDelayed(this.open().connection, this.options, stream, messageId);
  }

  /**
   * Sends a request, once for each subscriber, and gives what the `@MessagePattern` handler replies.
   *
   * @param pattern the stream's name, or `{ stream, name }`
   * @param data the payload, or a record of `RedisStreamsRecordBuilder`
   * @returns the reply's value, or each value of the handler's Observable; or an error: what the handler failed with, as
   *   Nest's filters have it, `RequestTimeoutError`, `PublishError`, `DuplicateRequestError`, `ReplyInterruptedError`,
   *   `ConnectionClosedError`
   */
  override send<Result = unknown, Input = unknown>(
    pattern: unknown,
    data: Input,
  ): Observable<Result> {
    if (pattern == null || data == null) return super.send(pattern, data);
    return new Observable((observer) =>
      this.publish(this.packetOf(pattern, data), this.createObserver(observer)),
    );
  }

  /** Waits for the connection; `emit()` does not need it. */
  async connect(): Promise<Redis> {
    return this.open().connection.ready();
  }

  /** Waits for answers to what was sent, and closes the connection where it is ours. It can be used again. */
  async close(): Promise<void> {
    const { opened } = this;
    if (opened === undefined) return;
    this.opened = undefined;
    const { client, owned } = opened.connection;
    await this.order.sent();
    opened.connection.leave();
    opened.requests.close();
    await opened.publisher.close();
    // One of ours still has its end to tell.
    if (!owned) for (const { event, callback } of this.listeners) client.off(event, callback);
    opened.connection.drop();
    this._status$.next('disconnected');
  }

  /** Nest closes clients that it made itself; ours ends with the app, after the servers that may still publish. */
  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  override on<Event extends keyof RedisStreamsClientEvents>(
    event: Event,
    callback: RedisStreamsClientEvents[Event],
  ): void {
    const untyped: Function = callback;
    const listener: Listener = (...args) => untyped(...args);
    this.listeners.push({ event, callback: listener });
    this.opened?.connection.client.on(event, listener);
  }

  /** The connection: `client.unwrap<Redis>()`. It is opened where it was not. */
  override unwrap<T = Redis>(): T {
    return this.open().connection.client as T;
  }

  // Without async functions on the way: each one more is a microsecond of every message.
  private dispatch<Result>(pattern: unknown, data: unknown): Promise<Result> {
    try {
      return this.dispatchEvent<Result>(this.packetOf(pattern, data));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  protected override dispatchEvent<Result = PublishReceipt>(
    packet: OutgoingPacket,
  ): Promise<Result> {
    return this.outgoing.send(packet) as Promise<Result>;
  }

  private async dispatchBatch(
    pattern: unknown,
    items: readonly unknown[],
  ): Promise<PublishReceipt[]> {
    // What is wrong with the pattern is no item's fault.
    const { stream } = publishTarget(pattern);
    return this.outgoing.sendAll(stream, items, (item) => this.packetOf(pattern, item));
  }

  protected override publish(
    packet: OutgoingPacket,
    callback: (packet: WritePacket) => void,
  ): () => void {
    return this.open().requests.send(packet, callback);
  }

  // Nest 11 has no dispatch hook, and makes the packet inline.
  private packetOf(pattern: unknown, data: unknown): ReadPacket {
    const make: unknown = Reflect.get(this, 'createPacket');
    return typeof make === 'function' ? make.call(this, pattern, data) : { pattern, data };
  }

  private open(): OpenedClient {
    this.opened ??= openClient(this.options, this.encoder, this.logger, {
      serverChecks: this.serverChecks,
      order: this.order,
      report: (status) => this._status$.next(status),
      prepare: (client) => {
        for (const { event, callback } of this.listeners) client.on(event, callback);
      },
    });
    return this.opened;
  }
}
