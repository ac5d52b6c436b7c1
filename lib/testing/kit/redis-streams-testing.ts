import type { INestApplication, INestMicroservice, Type } from '@nestjs/common';
import type { DeadLetters } from '../../dead-letters/dead-letters.js';
import type {
  MessageDeadLettered,
  MessageHandled,
  MessageRetried,
} from '../../events/message-events.js';
import type { ClientRedisStreams } from '../../nest/client-redis-streams.js';
import type { StreamPattern } from '../../options/stream-pattern.js';
import type { PublishReceipt } from '../../publish/entry-publisher.js';
import type { MessageHistory, WhichMessage } from './message-history.js';
import type { TestingKit } from './testing-kit.js';
import type {
  DrainedOptions,
  RedisStreamsTestingOptions,
  RetriedOptions,
  TestedApp,
  WaitOptions,
} from './testing-options.js';

/**
 * An app under test with a real Redis, and with keys of its own. If it has several instances of `RedisStreamsModule`, this is for
 * the one without a name, or else the first one. It works with every test runner, since it uses none.
 *
 * @example
 * ```ts
 * const streams = await RedisStreamsTesting.create(AppModule);
 * const receipt = await streams.emit('orders', { item: 'cup' });
 * await streams.handled(receipt);
 * await streams.close();
 * ```
 */
export class RedisStreamsTesting {
  private constructor(private readonly kit: TestingKit) {}

  /**
   * Creates the app with another Redis and a new `keyPrefix` instead of its own, starts it, and listens.
   *
   * @param tested the app's module, metadata with that module in `imports`, an uncompiled `Test.createTestingModule(…)`, or
   *   `{ app: () => NestFactory.create(AppModule) }` for an app with HTTP
   * @throws StreamsTestingError if it has no `RedisStreamsModule`
   */
  static async create(
    tested: TestedApp,
    options: RedisStreamsTestingOptions = {},
  ): Promise<RedisStreamsTesting> {
    // Loaded here, so that startRedis() alone needs no Nest.
    const { TestingKit } = await import('./testing-kit.js');
    return new RedisStreamsTesting(await TestingKit.open(tested, options));
  }

  /** The app: an `INestApplication` if it was created by `{ app }`, otherwise a microservice. */
  get app(): INestApplication | INestMicroservice {
    return this.kit.app;
  }

  /** The client of the app. */
  get client(): ClientRedisStreams {
    return this.kit.publisher;
  }

  /** The dead letters of the app's group. */
  get deadLetters(): DeadLetters {
    return this.kit.inRedis.deadLetters;
  }

  /** The prefix of every stream's name in Redis. */
  get keyPrefix(): string {
    return this.kit.keyPrefix;
  }

  /** A provider of the app, from any of its modules. */
  get<Provider>(token: Type<Provider> | string | symbol): Provider {
    return this.kit.app.get<Provider>(token, { strict: false });
  }

  /** Publishes as the app does. @throws PublishError, MessageEncodingError, MessageValidationError */
  emit(pattern: string | StreamPattern, data: unknown): Promise<PublishReceipt> {
    return this.kit.emit(pattern, data);
  }

  /**
   * Waits until a message was handled, and that is recorded in Redis. It may have been handled before the call.
   *
   * @param which its ID, its receipt, or some of `{ stream, name, messageId }`: the first message that matches
   * @throws StreamsTestingError if it is not handled in time, or has another final outcome
   */
  handled(which: WhichMessage, options: WaitOptions = {}): Promise<MessageHandled> {
    return this.kit.outcome({ which, what: 'handled', attempt: undefined }, options);
  }

  /** Waits until an attempt failed and the message waits for the next one. Otherwise like {@link handled}. */
  retried(
    which: WhichMessage,
    { attempt, ...options }: RetriedOptions = {},
  ): Promise<MessageRetried> {
    return this.kit.outcome({ which, what: 'retried', attempt }, options);
  }

  /** Waits until a message became a dead letter. Otherwise like {@link handled}. */
  deadLettered(which: WhichMessage, options: WaitOptions = {}): Promise<MessageDeadLettered> {
    return this.kit.outcome({ which, what: 'dead-lettered', attempt: undefined }, options);
  }

  /**
   * Waits until nothing is unread or pending in any stream that the app reads. It does not wait for delayed messages.
   *
   * @throws StreamsTestingError if that takes too long; it says what is left
   */
  drained(options: DrainedOptions = {}): Promise<void> {
    return this.kit.drained(options);
  }

  /** What has happened to a message, and its state in Redis. */
  historyOf(
    which: string | { readonly messageId: string; readonly stream?: string },
  ): Promise<MessageHistory> {
    return this.kit.historyOf(which);
  }

  /**
   * The same for an instance of `RedisStreamsModule` with a name, in an app with several: its client, its dead letters, and
   * what its group does. Closing it closes the app.
   *
   * @throws StreamsTestingError if the app has none of this name
   */
  instance(name: string): RedisStreamsTesting {
    return new RedisStreamsTesting(this.kit.named(name));
  }

  /** Closes the app, removes its keys, and ends a Redis that was started for it. A second call does nothing. */
  close(): Promise<void> {
    return this.kit.close();
  }
}
