import { Injectable } from '@nestjs/common';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { SafeLogger } from '../errors/safe-logger.js';
import type { ConsumedStream } from '../consume/stream-place.js';
import type { RedisStreamsEvents } from '../consume/sources/connections.js';
import { Consumer } from '../consume/consumer.js';
import { type ConsumerCounts, type ConsumerTallies, noCounts } from '../consume/tallies.js';
import { invoker } from '../consume/handlers/invoker.js';
import type { RedisStreamsStatus } from '../redis/connect/opened-connection.js';
import { isRedisInstance } from '../options/connection-option.js';
import { resolveServerOptions } from '../options/resolve-options.js';
import type { ResolvedServerOptions, ResolvedSubscription } from '../options/resolved-options.js';
import type { RedisStreamsServerOptions } from '../options/server-options.js';
import { streamPattern } from '../options/stream-pattern.js';
import { errorText } from '../redis/server/redis-errors.js';
import { ConnectionListeners } from './connection-listeners.js';
import {
  checkStream,
  checkSubscriptions,
  HandlerRegistry,
  type Subscription,
} from './handler-registry.js';
import { nestHooks } from '../consume/handlers/nest-layer.js';
import { listedHandler } from './listed-handler.js';
import { notePartitionCounts } from './partition-counts.js';
import { streamsTransport, withInstanceName } from './instance-name.js';
import { hintAtShutdownHooks } from './shutdown-hint.js';
import { sayingWrongKind } from './wrong-kind.js';
import * as text from './nest.messages.js';

/**
 * The transport strategy: `@EventPattern('orders')` handlers become consumer-group subscriptions, and those of
 * `@MessagePattern('quote')` answer what `send()` asks.
 *
 * @example
 * ```ts
 * app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
 * await app.startAllMicroservices();
 * ```
 * @example Without the module:
 * ```ts
 * const app = await NestFactory.createMicroservice(AppModule, {
 *   strategy: new ServerRedisStreams({ group: 'order-processor' }),
 * });
 * await app.listen();
 * ```
 */
@Injectable()
export class ServerRedisStreams
  extends Server<RedisStreamsEvents, RedisStreamsStatus>
  implements CustomTransportStrategy
{
  override readonly transportId: symbol;
  /** This transport handles failures itself: Nest need not log them as unhandled. */
  override readonly propagatesEventHandlerErrors = true;
  protected override readonly logger: SafeLogger;
  /** The options with all defaults filled in. */
  readonly options: ResolvedServerOptions;
  private readonly registry: HandlerRegistry;
  private readonly listeners: ConnectionListeners;
  private readonly onListening: (() => void)[] = [];
  private readonly hooks = nestHooks(this, (error) => {
    this.logger.error(text.processingHookFailed(errorText(error)));
  });
  /** @internal The app's own checks: if it throws, the server does not listen. */
  beforeListening: () => void = () => undefined;
  /** @internal The running member of the group: for health checks, the monitor and the testing kit. */
  consumer: Consumer | undefined;
  private lastTallies: ConsumerTallies | undefined;
  private registryFault: unknown;
  private listening = false;
  private endHint: () => void = () => undefined;
  /** If the app closes: resolves to the signal that ends the process after that. */
  private appCloses: Promise<string | undefined> | undefined;

  /** @throws InvalidOptionsError */
  constructor(options: RedisStreamsServerOptions | ResolvedServerOptions) {
    super();
    this.options = resolveServerOptions(options);
    const { name } = this.options;
    this.transportId = streamsTransport(name);
    this.logger = new SafeLogger(withInstanceName(ServerRedisStreams.name, name));
    this.registry = new HandlerRegistry(this.options.subscription);
    this.listeners = new ConnectionListeners(isRedisInstance(this.options.connection));
  }

  /** Called by Nest for each handler. `listen()` reports a pattern that cannot work, and handlers that disagree. */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    try {
      this.registry.add(streamPattern(pattern), callback, extras, !isEventHandler);
    } catch (error) {
      this.registryFault ??= error;
    }
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    super.addHandler(pattern, listedHandler(callback), isEventHandler, extras);
  }

  /**
   * Connects, creates missing groups, and starts to read. Waits for Redis as long as necessary.
   *
   * @param callback called once it reads, or with an error
   */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      if (this.appCloses !== undefined && (await this.appCloses) !== undefined) return;
      return callback(error);
    }
    callback();
  }

  /** Drains, and closes its own connections. May be called twice; `listen()` may follow. */
  async close(): Promise<void> {
    const { consumer } = this;
    if (consumer === undefined) return;
    this.listening = false;
    this.endHint();
    await consumer.close();
    if (this.consumer !== consumer) return;
    this.listeners.detachAll();
    this.lastTallies = consumer.tallies;
    this.consumer = undefined;
    this._status$.next('disconnected');
  }

  /** Stops reading, and lets running handlers end. `close()` does the rest. */
  async drain(): Promise<void> {
    await this.consumer?.drain();
  }

  /**
   * @internal Drains while the app's providers still exist. If the app waits for `listen()` and a signal ends the process, nobody
   * is told that `listen()` did not succeed: the program would print an error that it did not catch.
   */
  drainWithApp(closes: Promise<string | undefined>): Promise<void> {
    this.appCloses = closes;
    return this.drain();
  }

  override on<Event extends keyof RedisStreamsEvents>(
    event: Event,
    callback: RedisStreamsEvents[Event],
  ): void {
    this.listeners.add(String(event), callback, this.consumer);
  }

  /**
   * The connections, commands first: `const [commands, blocking] = server.unwrap<[Redis, Redis]>()`. In a cluster the first is a
   * `Cluster`, and each slot that holds a stream has a blocking one.
   */
  override unwrap<T = [Redis, Redis]>(): T {
    if (this.consumer === undefined) throw new Error(text.NOT_LISTENING);
    const { commands, blocking } = this.consumer.connections;
    return [commands, ...blocking] as T;
  }

  /** Whether it reads: from a successful `listen()` until `close()`. */
  get isListening(): boolean {
    return this.listening;
  }

  /** The streams that handlers name, and those that were found for wildcards. */
  subscriptions(): Subscription[] {
    const named = this.registry.subscriptions();
    const names = new Set(named.map(({ stream }) => stream));
    const found = (this.consumer?.streams ?? []).filter((stream) => !names.has(stream));
    return [...named, ...found.map((stream) => this.registry.subscriptionTo(stream))];
  }

  /** @internal The wildcards that handlers subscribe to. */
  get wildcards(): readonly string[] {
    return this.registry.wildcards;
  }

  /** @internal What the handlers that match a stream set for it. */
  optionsOf(stream: string): ResolvedSubscription {
    return this.registry.subscriptionTo(stream).options;
  }

  /** Calls back each time the server starts to listen. */
  whenListening(callback: () => void): void {
    this.onListening.push(callback);
  }

  /** The outcomes of messages since the server started to listen. */
  get counts(): Readonly<ConsumerCounts> {
    return this.tallies?.total ?? noCounts();
  }

  /** @internal For the monitor: the counts of each stream, and more. */
  get tallies(): ConsumerTallies | undefined {
    return this.consumer?.tallies ?? this.lastTallies;
  }

  /** How many messages are being handled now. */
  get inFlight(): number {
    return this.consumer?.inFlight ?? 0;
  }

  private async start(): Promise<void> {
    if (this.registryFault !== undefined) throw this.registryFault;
    if (this.consumer !== undefined) throw new Error(text.LISTENING_ALREADY);
    this.beforeListening();
    const { group, consumer: name } = this.options;
    checkSubscriptions(this.registry, this.options, this.logger);
    const named = this.registry.subscriptions().map((each) => this.consumed(each, true));
    const asked = {
      wildcards: this.wildcards,
      consumed: (stream: string) => this.consumed(this.registry.subscriptionTo(stream), false),
    };
    const consumer = new Consumer(this.options, named, asked, this.logger);
    this.consumer = consumer;
    this.listeners.attachAll(consumer);
    try {
      await consumer.start((status) => this._status$.next(status));
    } catch (error) {
      await this.close();
      throw error;
    }
    this.listening = true;
    this.endHint = hintAtShutdownHooks(this.logger);
    for (const callback of this.onListening) callback();
    const streams = named.map(({ stream }) => stream);
    void notePartitionCounts(consumer.connections.commands, this.options, streams, this.logger);
    const read = [...streams, ...this.wildcards];
    if (read.length === 0) this.logger.warn(text.NOTHING_TO_READ);
    else this.logger.log(text.reading(read, group, name));
  }

  private consumed(subscription: Subscription, isNamed: boolean): ConsumedStream {
    const { stream, handlers, options, wildcards } = subscription;
    const { group, consumer, schemas } = this.options;
    checkStream(subscription, this.options);
    const where = { stream, group, consumer };
    const run = invoker(handlers, where, options.handlers, schemas.get(stream), this.hooks);
    const invoke = sayingWrongKind(run, subscription, group, this.logger);
    return { stream, options, invoke, isNamed, wildcards };
  }
}
