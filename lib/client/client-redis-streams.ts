import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type ReadPacket } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { type Observable, throwError } from 'rxjs';
import { MessageEncodingError } from '../errors/message-encoding.error.js';
import { NotSupportedError } from '../errors/not-supported.error.js';
import type { RedisStreamsClientOptions } from '../options/client-options.js';
import { resolveClientOptions } from '../options/resolve-options.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { RedisStreamsStatus } from '../redis/connection-watch.js';
import { OpenedConnection } from '../redis/opened-connection.js';
import { errorText } from '../redis/redis-errors.js';
import * as text from './client.messages.js';
import { eager } from './eager.js';
import { eachItem, MessageEncoder, type OutgoingPacket } from './message-encoder.js';
import { OncePublisher } from './once-publisher.js';
import { PlainPublisher } from './plain-publisher.js';
import { publishInRounds } from './publish-in-rounds.js';
import type { PublishReceipt } from './publish-receipt.js';
import { publishTarget } from './publish-target.js';
import type { Publisher, Publishing } from './publishing.js';
import type { RedisStreamsRecord } from './redis-streams.record.js';
import { isPublishingHeard, publishBatchTold, publishTold } from './told-publishing.js';

/** The events of a client's connection, as ioredis names them. */
export interface RedisStreamsClientEvents extends Record<never, Function> {
  connect: () => void;
  ready: () => void;
  error: (error: Error) => void;
  close: () => void;
  reconnecting: () => void;
  end: () => void;
}

type Listener = (...args: unknown[]) => void;

/** An opened connection, and what sends on it. */
interface Opened {
  readonly connection: OpenedConnection;
  readonly publisher: Publisher;
}

/**
 * The client: `emit('orders', order)` writes one entry. It connects with the first call.
 *
 * @example
 * ```ts
 * const { entryId } = await firstValueFrom(this.client.emit('orders', order));
 * ```
 */
@Injectable()
// Not with our own type of status: ClientsModule would not take the class then.
export class ClientRedisStreams
  extends ClientProxy<RedisStreamsClientEvents>
  implements OnApplicationShutdown
{
  private readonly logger = new Logger(ClientRedisStreams.name);
  private readonly options: ResolvedClientOptions;
  private readonly encoder: MessageEncoder;
  private readonly listeners: { event: string; callback: Listener }[] = [];
  private opened: Opened | undefined;

  /** @throws InvalidOptionsError */
  constructor(options: RedisStreamsClientOptions | ResolvedClientOptions = {}) {
    super();
    this.options = resolveClientOptions(options);
    this.encoder = new MessageEncoder(this.options);
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
   * @returns one {@link PublishReceipt}, or an error: `MessageEncodingError` where nothing was sent, `PublishError`
   *   where Redis refused or did not answer within `publishTimeoutMs`. An error that nobody observes is logged.
   */
  override emit<Result = PublishReceipt, Input = unknown>(
    pattern: unknown,
    data: Input,
  ): Observable<Result> {
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
   * @returns one list with a {@link PublishReceipt} for each, or an error: `MessageEncodingError` with the `index` of the
   *   first that cannot be encoded, `PublishBatchError` where not all are confirmed, which says what became of each. An
   *   error that nobody observes is logged.
   */
  emitBatch<Input = unknown>(
    pattern: unknown,
    items: readonly (Input | RedisStreamsRecord<Input>)[],
  ): Observable<PublishReceipt[]> {
    return eager(this.dispatchBatch(pattern, items), (error) => {
      this.logger.error(text.emitFailed('emitBatch()', errorText(error)));
    });
  }

  /** Not supported yet: a stream's messages are events. */
  override send<Result = unknown>(): Observable<Result> {
    return throwError(() => new NotSupportedError('send()', text.INSTEAD_OF_SEND));
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
    opened.connection.leave();
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
    const send = (message: Publishing): Promise<PublishReceipt> =>
      this.open().publisher.publish(message);
    if (isPublishingHeard()) return publishTold(this.encoder, packet, send) as Promise<Result>;
    return send(this.encoder.encode(packet)) as Promise<Result>;
  }

  private async dispatchBatch(
    pattern: unknown,
    items: readonly unknown[],
  ): Promise<PublishReceipt[]> {
    // What is wrong with the pattern is no item's fault.
    const { stream } = publishTarget(pattern);
    if (!Array.isArray(items)) throw new MessageEncodingError(stream, text.NOT_A_LIST);
    const send = (messages: Publishing[]): Promise<PublishReceipt[]> =>
      publishInRounds(this.open().publisher, stream, messages);
    if (items.length === 0) return [];
    if (isPublishingHeard() && items.every((item: unknown) => item != null)) {
      const packets = items.map((item: unknown) => this.packetOf(pattern, item));
      return publishBatchTold(this.encoder, stream, packets, send);
    }
    return send(eachItem(stream, items, (item) => this.encodeItem(pattern, item)));
  }

  private encodeItem(pattern: unknown, item: unknown): Publishing {
    // As with emit(), where Nest refuses it.
    if (item == null) throw new Error(text.nothingToSend(item));
    return this.encoder.encode(this.packetOf(pattern, item));
  }

  protected override publish(): () => void {
    throw new NotSupportedError('send()', text.INSTEAD_OF_SEND);
  }

  // Nest 11 has no dispatch hook, and makes the packet inline.
  private packetOf(pattern: unknown, data: unknown): ReadPacket {
    const make: unknown = Reflect.get(this, 'createPacket');
    return typeof make === 'function' ? make.call(this, pattern, data) : { pattern, data };
  }

  private open(): Opened {
    if (this.opened !== undefined) return this.opened;
    const connection = new OpenedConnection(this.options.connection, {
      role: 'publish',
      name: 'nestjs-redis-streams:client',
      called: 'client',
      logger: this.logger,
      report: (status) => this._status$.next(status),
      prepare: (client) => {
        for (const { event, callback } of this.listeners) client.on(event, callback);
      },
    });
    const { publishTimeoutMs, publishDedup } = this.options;
    const publisher =
      publishDedup === false
        ? new PlainPublisher(connection.client, publishTimeoutMs, (said) => this.logger.warn(said))
        : new OncePublisher(connection.client, publishTimeoutMs, publishDedup.windowMs);
    this.opened = { connection, publisher };
    return this.opened;
  }
}
