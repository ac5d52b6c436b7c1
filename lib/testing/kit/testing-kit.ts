import type { INestApplication, INestMicroservice } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';
import { SafeLogger } from '../../errors/safe-logger.js';
import type { ClientRedisStreams } from '../../nest/client-redis-streams.js';
import { checkOptions } from '../../options/check-options.js';
import type { StreamPattern } from '../../options/stream-pattern.js';
import type { PublishReceipt } from '../../publish/entry-publisher.js';
import { OpenedConnection } from '../../redis/connect/opened-connection.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { placesOf } from '../../wire/partitions.js';
import {
  type AppInRedis,
  removeKeys,
  streamsOf,
  type Unfinished,
  unfinishedStreams,
  unsettledCount,
} from './app-in-redis.js';
import { type Awaited, type EventOf, Journal, outcomeOf, waitFor } from './journal.js';
import {
  attemptsOf,
  type MessageHistory,
  messageIdOf,
  StreamsTestingError,
  type WhichMessage,
} from './message-history.js';
import { messageState } from './message-state.js';
import { readyInTime, redisFor, runAll, StartedApp } from './started-app.js';
import { createApp, type TestedInstance } from './start-app.js';
import * as text from './testing-kit.messages.js';
import {
  type DrainedOptions,
  type RedisStreamsTestingOptions,
  schemas,
  type TestedApp,
  type WaitOptions,
} from './testing-options.js';

const TIMEOUT_MS = 4_000;

/** The implementation of `RedisStreamsTesting`, which needs Nest: for one instance of the app. */
export class TestingKit {
  private readonly receipts: PublishReceipt[] = [];
  private readonly timeoutMs: number;

  private constructor(
    private readonly tested: StartedApp,
    private readonly kits: ReadonlyMap<string | undefined, TestingKit>,
    private readonly instance: TestedInstance,
    readonly inRedis: AppInRedis,
    private readonly journal: Journal,
    { timeoutMs = TIMEOUT_MS }: RedisStreamsTestingOptions,
  ) {
    this.timeoutMs = timeoutMs;
  }

  static async open(given: TestedApp, options: RedisStreamsTestingOptions): Promise<TestingKit> {
    checkOptions(schemas.create, options, 'RedisStreamsTesting');
    // In the order in which they run.
    const undo: (() => unknown)[] = [];
    const leave = (): Promise<void> => runAll(undo.splice(0));
    try {
      const connection = options.connection ?? (await redisFor(undo));
      const created = await createApp(given, connection, options);
      const { app, instances } = created;
      undo.unshift(() => app.close());
      const opened = new OpenedConnection(connection, {
        role: 'operator',
        name: 'nestjs-redis-streams:testing',
        called: 'testing',
        logger: new SafeLogger('RedisStreamsTesting'),
      });
      undo.splice(1, 0, () => opened.drop());
      const client = await readyInTime(opened);
      const tested = new StartedApp(app, leave);
      const kits = new Map<string | undefined, TestingKit>();
      for (const instance of instances) {
        const { server, keyPrefix, pull, deadLetters } = instance;
        undo.splice(1, 0, () => removeKeys(client, keyPrefix, server.options.group));
        const journal = new Journal(server.options.consumer);
        undo.push(() => journal.end());
        const inRedis = { client, server, pull, deadLetters };
        kits.set(instance.name, new TestingKit(tested, kits, instance, inRedis, journal, options));
      }
      await created.listen();
      return kitOf(kits, instances[0].name);
    } catch (error) {
      await leave().catch(() => undefined);
      throw error;
    }
  }

  get app(): INestApplication | INestMicroservice {
    return this.tested.app;
  }

  get keyPrefix(): string {
    return this.instance.keyPrefix;
  }

  get publisher(): ClientRedisStreams {
    return this.instance.client;
  }

  async emit(pattern: string | StreamPattern, data: unknown): Promise<PublishReceipt> {
    const receipt = await firstValueFrom(this.publisher.emit<PublishReceipt>(pattern, data));
    this.receipts.push(receipt);
    return receipt;
  }

  async outcome<What extends text.Outcome>(
    awaited: Awaited<What>,
    { timeoutMs = this.timeoutMs }: WaitOptions,
  ): Promise<EventOf<What>> {
    const { what, attempt } = awaited;
    checkOptions(schemas.outcome, { timeoutMs, attempt }, what);
    const which = this.withEntryId(awaited.which);
    return waitFor({
      check: () => outcomeOf(this.journal, { ...awaited, which }, () => this.historyOf(which)),
      tooLate: async () => {
        const [known, history] = await this.known(which);
        return new StreamsTestingError(text.notInTime(which, what, timeoutMs, known), history);
      },
      timeoutMs,
      ...this.changesOf(which),
    });
  }

  async drained({
    timeoutMs = this.timeoutMs,
    retries: whichRetries = 'wait',
  }: DrainedOptions): Promise<void> {
    checkOptions(schemas.drained, { timeoutMs, retries: whichRetries }, 'drained');
    const left = async (): Promise<Unfinished[]> =>
      (await unfinishedStreams(this.inRedis)).filter(
        ({ hasUnread, pending, retries }) =>
          hasUnread || pending > 0 || (whichRetries === 'wait' && retries > 0),
      );
    await waitFor({
      check: async () =>
        (await left()).length === 0 && unsettledCount(this.inRedis) === 0 ? true : undefined,
      tooLate: async () => new StreamsTestingError(text.notDrained(timeoutMs, await left())),
      timeoutMs,
      ...this.changesOf({}),
    });
  }

  async historyOf(given: WhichMessage): Promise<MessageHistory> {
    const which = this.withEntryId(given);
    const events = this.journal.of(which);
    const receipt = this.receiptOf(which);
    // If its codec carries no message ID, its readers know the message by its entry ID.
    const messageId = events[0]?.messageId ?? messageIdOf(which) ?? '';
    const named = typeof which === 'string' ? undefined : which.stream;
    const stream = named ?? events[0]?.stream ?? receipt?.stream;
    const entryId = events[0]?.entryId ?? receipt?.entryId ?? undefined;
    const attempts = attemptsOf(events);
    const { partitions } = this.inRedis.server.options;
    for (const one of stream === undefined ? streamsOf(this.inRedis) : [stream]) {
      for (const place of placesOf(one, partitions.get(one))) {
        const state = await messageState(this.inRedis, { stream: one, place, messageId, entryId });
        if (state.kind !== 'unknown') return { messageId, stream: one, events, attempts, state };
      }
    }
    return { messageId, stream, events, attempts, state: { kind: 'unknown' } };
  }

  /** The kit of another instance of the app. */
  named(name: string): TestingKit {
    return kitOf(this.kits, name);
  }

  close(): Promise<void> {
    return this.tested.close();
  }

  private receiptOf(which: WhichMessage): PublishReceipt | undefined {
    const messageId = messageIdOf(which);
    return this.receipts.find((one) => one.messageId === messageId);
  }

  /** With the entry ID that is known from publishing. */
  private withEntryId(which: WhichMessage): WhichMessage {
    const receipt = this.receiptOf(which);
    if (receipt === undefined) return which;
    const { stream, entryId } = receipt;
    return typeof which === 'string'
      ? { messageId: which, stream, entryId }
      : { entryId, ...which };
  }

  private changesOf(which: WhichMessage) {
    return {
      whenChanged: (callback: () => void) => this.journal.whenNoted(which, callback),
      closed: this.tested.closed,
    };
  }

  private async known(which: WhichMessage): Promise<readonly [string, MessageHistory?]> {
    if (messageIdOf(which) === undefined) return [text.knownOfAny(this.journal.events)];
    try {
      const history = await this.historyOf(which);
      return [text.knownOf(history), history];
    } catch (error) {
      const events = text.knownOfAny(this.journal.of(which));
      return [`${events}\n${text.unreachable(errorText(error))}`];
    }
  }
}

/** @throws StreamsTestingError if the app has no such instance */
function kitOf(
  kits: ReadonlyMap<string | undefined, TestingKit>,
  name: string | undefined,
): TestingKit {
  const kit = kits.get(name);
  if (kit === undefined) throw new StreamsTestingError(text.noInstance(name));
  return kit;
}
