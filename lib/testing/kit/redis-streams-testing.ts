import type { INestApplication, INestMicroservice, Type } from '@nestjs/common';
import type { ClientRedisStreams } from '../../nest/client-redis-streams.js';
import type { PublishReceipt } from '../../publish/entry-publisher.js';
import type { DeadLetters } from '../../dead-letters/dead-letters.js';
import type {
  MessageDeadLettered,
  MessageHandled,
  MessageRetried,
} from '../../events/message-events.js';
import type { StreamPattern } from '../../options/stream-pattern.js';
import type { MessageHistory, WhichMessage } from './message-history.js';
import type { RedisStreamsTestingOptions, TestedApp } from './tested-app.js';
import type { TestingKit } from './testing-kit.js';
import type { DrainedOptions, RetriedOptions, WaitOptions } from './wait-options.js';

/**
 * An app under test on a real Redis, with keys that no other test has. It works with every test runner, since it uses none.
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
   * Makes the app with another Redis and a fresh `keyPrefix` in place of its own, starts it, and listens.
   *
   * @param tested the app's module, metadata with it among the `imports`, an uncompiled `Test.createTestingModule(…)`, or
   *   `{ app: () => NestFactory.create(AppModule) }` for an app with HTTP
   * @throws StreamsTestingError where it has no `RedisStreamsModule`
   */
  static async create(
    tested: TestedApp,
    options: RedisStreamsTestingOptions = {},
  ): Promise<RedisStreamsTesting> {
    // Loaded here, so that who only starts a Redis needs no Nest.
    const { TestingKit } = await import('./testing-kit.js');
    return new RedisStreamsTesting(await TestingKit.open(tested, options));
  }

  /** The app: an `INestApplication` where it was made by `{ app }`, else a microservice. */
  get app(): INestApplication | INestMicroservice {
    return this.kit.app;
  }

  /** What the app publishes with. */
  get client(): ClientRedisStreams {
    return this.kit.publisher;
  }

  /** What the app's group has given up. */
  get deadLetters(): DeadLetters {
    return this.kit.looking.deadLetters;
  }

  /** What stands before every stream's name in Redis. */
  get keyPrefix(): string {
    return this.kit.keyPrefix;
  }

  /** A provider of the app, from whichever module. */
  get<Provider>(token: Type<Provider> | string | symbol): Provider {
    return this.kit.app.get<Provider>(token, { strict: false });
  }

  /** Publishes as the app does. @throws PublishError, MessageEncodingError, MessageValidationError */
  emit(pattern: string | StreamPattern, data: unknown): Promise<PublishReceipt> {
    return this.kit.emit(pattern, data);
  }

  /**
   * Waits until a message was handled, and Redis has that; it may have been before the call.
   *
   * @param which its ID, its receipt, or `{ stream, name, messageId }` in part: the first that fits
   * @throws StreamsTestingError when the time is over, or the message came to another end
   */
  handled(which: WhichMessage, options: WaitOptions = {}): Promise<MessageHandled> {
    return this.kit.outcome({ which, what: 'handled', attempt: undefined }, options);
  }

  /** Waits until an attempt failed and the message was put off. Otherwise as {@link handled}. */
  retried(
    which: WhichMessage,
    { attempt, ...options }: RetriedOptions = {},
  ): Promise<MessageRetried> {
    return this.kit.outcome({ which, what: 'retried', attempt }, options);
  }

  /** Waits until a message was made a dead letter. Otherwise as {@link handled}. */
  deadLettered(which: WhichMessage, options: WaitOptions = {}): Promise<MessageDeadLettered> {
    return this.kit.outcome({ which, what: 'dead-lettered', attempt: undefined }, options);
  }

  /**
   * Waits until nothing is unread or pending in any stream that the app reads. What is to be published later is not waited
   * for.
   *
   * @throws StreamsTestingError when the time is over; it says what is left
   */
  drained(options: DrainedOptions = {}): Promise<void> {
    return this.kit.drained(options);
  }

  /** What happened to a message until now, and how it is in Redis. */
  historyOf(
    which: string | { readonly messageId: string; readonly stream?: string },
  ): Promise<MessageHistory> {
    return this.kit.historyOf(which);
  }

  /** Closes the app, removes its keys, and ends a Redis that was started for it. A second call does nothing more. */
  close(): Promise<void> {
    return this.kit.close();
  }
}
