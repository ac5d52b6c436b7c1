import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type INestApplication, type INestMicroservice, Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { ClientRedisStreams } from '../../nest/client-redis-streams.js';
import type { PublishReceipt } from '../../publish/entry-publisher.js';
import { DeadLetters } from '../../dead-letters/dead-letters.js';
import { placesOf } from '../../wire/partitions.js';
import { checkOptions } from '../../options/check-options.js';
import type { ConnectionOption } from '../../options/connection-option.js';
import type { StreamPattern } from '../../options/stream-pattern.js';
import { OpenedConnection } from '../../redis/connect/opened-connection.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { startRedis } from '../redis/start-redis.js';
import { Journal } from './journal.js';
import type { LookingParts } from './looking.js';
import { attemptsOf, type MessageHistory, type WhichMessage } from './message-history.js';
import { messageState } from './message-state.js';
import { type EventOf, idOf, outcomeOf, type Sought } from './outcomes.js';
import { removeKeys } from './remove-keys.js';
import { schemas } from './testing-options.schema.js';
import { type MadeApp, makeApp } from './start-app.js';
import { StreamsTestingError } from './streams-testing.error.js';
import type { RedisStreamsTestingOptions, TestedApp } from './tested-app.js';
import * as text from './testing-kit.messages.js';
import { unfinished } from './unfinished.js';
import type { DrainedOptions, WaitOptions } from './wait-options.js';
import { waiting } from './waiting.js';

const TIMEOUT_MS = 4_000;
/** A runner gives a hook five seconds most often. */
const CONNECT_MS = 4_000;

/** What is done one after the other, whatever becomes of each; the first error is thrown after the last of them. */
async function eachOf(steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** What `RedisStreamsTesting` shows. */
export class TestingKit {
  private readonly closed = new AbortController();
  private readonly receipts: PublishReceipt[] = [];
  private readonly timeoutMs: number;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly made: MadeApp,
    readonly looking: LookingParts,
    private readonly journal: Journal,
    private readonly leave: () => Promise<void>,
    { timeoutMs = TIMEOUT_MS }: RedisStreamsTestingOptions,
  ) {
    this.timeoutMs = timeoutMs;
    // All that wait listen to it, however many they are.
    setMaxListeners(0, this.closed.signal);
  }

  static async open(tested: TestedApp, options: RedisStreamsTestingOptions): Promise<TestingKit> {
    checkOptions(schemas.create, options, 'RedisStreamsTesting');
    // In the order in which they are undone.
    const undo: (() => unknown)[] = [];
    const leave = (): Promise<void> => eachOf(undo.splice(0));
    try {
      const connection = options.connection ?? (await started(undo));
      const made = await makeApp(tested, connection, options);
      const { app, server, keyPrefix } = made;
      undo.unshift(() => app.close());
      const looks = new OpenedConnection(connection, {
        role: 'operator',
        name: text.CONNECTION_NAME,
        called: text.CALLED,
        logger: new Logger('RedisStreamsTesting'),
      });
      undo.splice(1, 0, () => looks.drop());
      const client = await inTime(looks);
      undo.splice(1, 0, () => removeKeys(client, keyPrefix, server.options.group));
      const journal = new Journal(server.options.consumer);
      undo.push(() => journal.end());
      await made.listen();
      const deadLetters = app.get(DeadLetters, { strict: false });
      return new TestingKit(made, { client, server, deadLetters }, journal, leave, options);
    } catch (error) {
      await leave().catch(() => undefined);
      throw error;
    }
  }

  get app(): INestApplication | INestMicroservice {
    return this.made.app;
  }

  get keyPrefix(): string {
    return this.made.keyPrefix;
  }

  get publisher(): ClientRedisStreams {
    return this.app.get(ClientRedisStreams, { strict: false });
  }

  async emit(pattern: string | StreamPattern, data: unknown): Promise<PublishReceipt> {
    const receipt = await firstValueFrom(this.publisher.emit<PublishReceipt>(pattern, data));
    this.receipts.push(receipt);
    return receipt;
  }

  async outcome<What extends text.Awaited>(
    sought: Sought<What>,
    { timeoutMs = this.timeoutMs }: WaitOptions,
  ): Promise<EventOf<What>> {
    const { which, what, attempt } = sought;
    checkOptions(schemas.outcome, { timeoutMs, attempt }, what);
    return waiting({
      look: () => outcomeOf(this.journal, sought, () => this.historyOf(which)),
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
    retries: after = 'wait',
  }: DrainedOptions): Promise<void> {
    checkOptions(schemas.drained, { timeoutMs, retries: after }, 'drained');
    const left = async (): ReturnType<typeof unfinished> =>
      (await unfinished(this.looking)).filter(
        ({ hasUnread, pending, retries }) =>
          hasUnread || pending > 0 || (after === 'wait' && retries > 0),
      );
    await waiting({
      look: async () =>
        (await left()).length === 0 && (this.looking.server.consumer?.unsettled ?? 0) === 0
          ? true
          : undefined,
      tooLate: async () => new StreamsTestingError(text.notDrained(timeoutMs, await left())),
      timeoutMs,
      ...this.changesOf({}),
    });
  }

  async historyOf(which: WhichMessage): Promise<MessageHistory> {
    const messageId = idOf(which) ?? '';
    const events = this.journal.of(which);
    const receipt = this.receipts.find((its) => its.messageId === messageId);
    const named = typeof which === 'string' ? undefined : which.stream;
    const stream = named ?? events[0]?.stream ?? receipt?.stream;
    const entryId = events[0]?.entryId ?? receipt?.entryId ?? undefined;
    const attempts = attemptsOf(events);
    const streams = this.looking.server.subscriptions().map((its) => its.stream);
    const { partitions } = this.looking.server.options;
    for (const one of stream === undefined ? streams : [stream]) {
      for (const place of placesOf(one, partitions.get(one))) {
        const state = await messageState(this.looking, { stream: one, place, messageId, entryId });
        if (state.kind !== 'unknown') return { messageId, stream: one, events, attempts, state };
      }
    }
    return { messageId, stream, events, attempts, state: { kind: 'unknown' } };
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.closed.abort();
    await this.leave();
  }

  private changesOf(which: WhichMessage) {
    return {
      whenChanged: (callback: () => void) => this.journal.whenNoted(which, callback),
      closed: this.closed.signal,
    };
  }

  private async known(which: WhichMessage): Promise<readonly [string, MessageHistory?]> {
    if (idOf(which) === undefined) return [text.knownOfAny(this.journal.events)];
    try {
      const history = await this.historyOf(which);
      return [text.knownOf(history), history];
    } catch (error) {
      const said = text.knownOfAny(this.journal.of(which));
      return [`${said}\n${text.unreachable(errorText(error))}`];
    }
  }
}

/** Ready, or an error: who tests does not wait for a Redis that may come. */
async function inTime(looks: OpenedConnection): Promise<Redis> {
  const timeUp = new AbortController();
  const late = delay(CONNECT_MS, undefined, { signal: timeUp.signal }).then(() => {
    throw new StreamsTestingError(text.NO_REDIS);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([looks.ready(), late]);
  } finally {
    timeUp.abort();
  }
}

async function started(undo: (() => unknown)[]): Promise<ConnectionOption> {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  return redis.url;
}
