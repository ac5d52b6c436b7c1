import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type WritePacket } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { firstValueFrom, Observable } from 'rxjs';
import { ConnectionEndedError } from '../errors/redis.errors.js';
import { SafeLogger } from '../errors/safe-logger.js';
import type { RedisStreamsClientOptions } from '../options/client-options.js';
import { resolveClientOptions } from '../options/resolve-options.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { cancelDelayed } from '../publish/cancel-delayed.js';
import type { PublishReceipt } from '../publish/entry-publisher.js';
import { MessageEncoder, type OutgoingPacket, publishTarget } from '../publish/message-encoder.js';
import { MessagePublisher } from '../publish/message-publisher.js';
import type { RedisStreamsRecord } from '../publish/redis-streams.record.js';
import type { RedisStreamsStatus } from '../redis/connect/opened-connection.js';
import { errorText } from '../redis/server/redis-errors.js';
import { withInstanceName } from './instance-name.js';
import * as text from './nest.messages.js';
import { packetOf } from './nest-packet.js';
import { type OpenedClient, openClient, type RedisStreamsClientEvents } from './opened-client.js';
import { startedObservable } from './started-observable.js';
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
// oxlint-disable-next-line typescript/no-explicit-any -- so that typed and untyped clients are assignable to each other
export class ClientRedisStreams<Events = any>
  extends ClientProxy<RedisStreamsClientEvents>
  implements OnApplicationShutdown
{
  private readonly logger: SafeLogger;
  private readonly options: ResolvedClientOptions;
  private readonly encoder: MessageEncoder;
  private readonly messages: MessagePublisher;
  private readonly listeners: { event: string; callback: Listener }[] = [];
  private opened: OpenedClient | undefined;
  private isShutDown = false;

  /** @throws InvalidOptionsError */
  constructor(
    options: RedisStreamsClientOptions | ResolvedClientOptions = {},
    /** In the module: whether the app's server already publishes what is due. */
    private readonly serverChecks?: () => boolean,
  ) {
    super();
    this.options = resolveClientOptions(options);
    this.logger = new SafeLogger(withInstanceName(ClientRedisStreams.name, this.options.name));
    this.encoder = new MessageEncoder(this.options);
    this.messages = new MessagePublisher(this.encoder, () => this.open().publisher);
  }

  /** The state of its connection, now and after each change. */
  override get status(): Observable<RedisStreamsStatus> {
    return super.status as Observable<RedisStreamsStatus>;
  }

  /**
   * Publishes a message: once, now, whether or not anybody subscribes to the result.
   *
   * @param pattern the stream's name, or `{ stream, name }`, where the name is the kind of message
   * @param data the payload, or a record of `RedisStreamsRecordBuilder`
   * @returns one {@link PublishReceipt}, or an error. `MessageEncodingError` or, with a schema, `MessageValidationError`: nothing
   *   was sent. `PublishError`: Redis refused or did not answer within `publishTimeoutMs`. An error that nobody observes is
   *   logged.
   */
  override emit<Result = PublishReceipt, Input = unknown>(
    pattern: UntypedPattern<Events>,
    data: Input,
  ): Observable<Result>;
  // TypeScript shows the errors of the last overload. The first one makes any client assignable to ClientProxy.
  override emit<Stream extends StreamOf<Events>>(
    pattern: TypedPattern<Stream>,
    data: TypedData<Events[Stream]>,
  ): Observable<PublishReceipt>;
  override emit<Result>(pattern: unknown, data: unknown): Observable<Result> {
    if (pattern == null || data == null) {
      // Nest itself refuses null and undefined, as pattern or payload.
      return startedObservable(firstValueFrom(super.emit<Result>(pattern, data)), () => {
        this.logger.error(text.emitFailed('emit()', text.nothingToEmit(pattern, data)));
      });
    }
    return startedObservable(this.dispatch<Result>(pattern, data), (error) => {
      this.logger.error(text.emitFailed('emit()', errorText(error)));
    });
  }

  /**
   * Publishes many messages of one stream: once, now, in their order, whether or not anybody subscribes to the result. Up to
   * about two thousand go in one round trip. A larger batch goes in rounds, each after the one before it, and other messages
   * of the stream may come in between. If one item cannot be encoded, none is sent.
   *
   * @param pattern the stream's name, or `{ stream, name }`
   * @param items payloads, or records of `RedisStreamsRecordBuilder`
   * @returns one list with a {@link PublishReceipt} for each item, or an error: `MessageEncodingError` or
   *   `MessageValidationError` with the `index` of the first item that cannot be encoded or is not valid, `PublishBatchError`,
   *   which says what became of each item, if not all are confirmed. An error that nobody observes is logged.
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
    return startedObservable(this.dispatchBatch(pattern, items), (error) => {
      this.logger.error(text.emitFailed('emitBatch()', errorText(error)));
    });
  }

  /**
   * Cancels a message that waits to be published later.
   *
   * @param stream the stream's name
   * @returns `true` if it will not be published, so that its ID is free again; `false` if no message with this ID waits
   * @throws CancelError if Redis refused or did not answer within `publishTimeoutMs`
   */
  async cancel(stream: string, messageId: string): Promise<boolean> {
    return cancelDelayed(this.open().connection, this.options, stream, messageId);
  }

  /**
   * Sends a request, once for each subscriber, and gives what the `@MessagePattern` handler replies.
   *
   * @param pattern the stream's name, or `{ stream, name }`
   * @param data the payload, or a record of `RedisStreamsRecordBuilder`
   * @returns the reply's value, or each value of the handler's Observable; or an error: the handler's error as
   *   Nest's filters made it, `RequestTimeoutError`, `NoConsumerError`, `PublishError`, `DuplicateRequestError`, `ReplyInterruptedError`,
   *   `ConnectionClosedError`
   */
  override send<Result = unknown, Input = unknown>(
    pattern: unknown,
    data: Input,
  ): Observable<Result> {
    if (pattern == null || data == null) return super.send(pattern, data);
    return new Observable((observer) =>
      this.publish(packetOf(this, pattern, data), this.createObserver(observer)),
    );
  }

  /**
   * Waits for the connection; `emit()` does not need it.
   *
   * @throws NotConnectedError after `publishTimeoutMs`, with the reason; the client goes on trying
   */
  async connect(): Promise<Redis> {
    return this.open().connection.readyWithin(this.options.publishTimeoutMs);
  }

  /**
   * Waits for answers to what was sent, and closes the connection if it is its own. If something was emitted and there was no
   * connection yet, it waits for the first one, at most two seconds. The client may be used again.
   */
  async close(): Promise<void> {
    const { opened } = this;
    if (opened === undefined) return;
    this.opened = undefined;
    const { client, owned } = opened.connection;
    await this.messages.allSent();
    opened.connection.leave();
    opened.requests.close();
    await opened.publisher.close();
    // Our own connection still emits its end.
    if (!owned) for (const { event, callback } of this.listeners) client.off(event, callback);
    opened.connection.drop();
    this._status$.next('disconnected');
  }

  /** Nest closes the clients that it made itself. This one closes with the app, after the servers, which may still publish. */
  async onApplicationShutdown(): Promise<void> {
    this.isShutDown = true;
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

  /** The connection, opened if necessary: `client.unwrap<Redis>()`. */
  override unwrap<T = Redis>(): T {
    return this.open().connection.client as T;
  }

  // No async function here: each one adds a microsecond to every message.
  private dispatch<Result>(pattern: unknown, data: unknown): Promise<Result> {
    try {
      return this.dispatchEvent<Result>(packetOf(this, pattern, data));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  protected override dispatchEvent<Result = PublishReceipt>(
    packet: OutgoingPacket,
  ): Promise<Result> {
    return this.messages.publish(packet) as Promise<Result>;
  }

  private async dispatchBatch(
    pattern: unknown,
    items: readonly unknown[],
  ): Promise<PublishReceipt[]> {
    // Read first: a wrong pattern is not the fault of an item.
    const { stream } = publishTarget(pattern);
    return this.messages.publishBatch(stream, items, (item) => packetOf(this, pattern, item));
  }

  protected override publish(
    packet: OutgoingPacket,
    callback: (packet: WritePacket) => void,
  ): () => void {
    return this.open().requests.send(packet, callback);
  }

  private open(): OpenedClient {
    // A late call would open a connection that nothing closes, and the process would never end.
    if (this.isShutDown) throw new ConnectionEndedError(text.SHUT_DOWN);
    this.opened ??= openClient(this.options, this.encoder, this.messages, this.logger, {
      serverChecks: this.serverChecks,
      report: (status) => this._status$.next(status),
      prepare: (client) => {
        for (const { event, callback } of this.listeners) client.on(event, callback);
      },
    });
    return this.opened;
  }
}
