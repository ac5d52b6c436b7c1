import type { Redis } from 'ioredis';
import { isRedrive } from '../keys/redrive-member.js';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { commitRedrivesScript } from '../redis/scripts/commit-redrives.script.js';
import { commitScript } from '../redis/scripts/commit.script.js';
import { deadLetterScript } from '../redis/scripts/dead-letter.script.js';
import { handOverScript } from '../redis/scripts/hand-over.script.js';
import { releaseScript } from '../redis/scripts/release.script.js';
import { scheduleRetryScript } from '../redis/scripts/schedule-retry.script.js';
import { isLeased, leaseIdOf } from './lease-id.js';
import { persist } from './persist.js';
import type { EntryFields } from '../codec/codec.js';
import type { StreamMessage } from './stream-message.js';

/** A success waits this long at the most for others, so that they are settled in one step. */
const LONGEST_WAIT_MS = 4;

export interface SettlerParts {
  readonly client: Redis;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly consumer: string;
  readonly token: string;
  readonly options: ResolvedSubscription;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
  readonly onFault: (what: string, error: unknown) => void;
  readonly onDone: () => void;
  /** Told of entries that are settled, or were given up on. */
  readonly onSettled: (entryIds: readonly string[]) => void;
}

/** A message that waits for its next attempt. */
interface Retry {
  readonly message: StreamMessage;
  readonly delayMs: number;
}

/** An entry that will not be tried again; one that could not be decoded has no lease. */
export interface DeadEntry {
  readonly entryId: string;
  readonly messageId: string;
  readonly leased: boolean;
  readonly fields: EntryFields;
}

/** Records the outcomes of one stream's messages in Redis, many at once. */
export class Settler {
  private successes: StreamMessage[] = [];
  private releases: StreamMessage[] = [];
  private handOvers: StreamMessage[] = [];
  private retries: Retry[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly parts: SettlerParts) {}

  /** The handlers succeeded. */
  commit(message: StreamMessage): void {
    // At-most-once recorded the message before it ran; what is left of it is the lease.
    if (this.parts.options.delivery === 'at-most-once') return this.release(message);
    this.successes.push(message);
    this.schedule(this.successes);
  }

  /** Nothing is left to record: its lease ends. */
  release(message: StreamMessage): void {
    this.releases.push(message);
    this.schedule(this.releases);
  }

  /** The message did not start: its lease ends, and another member of the group may have it at once. */
  handOver(message: StreamMessage): void {
    this.handOvers.push(message);
    this.schedule(this.handOvers);
  }

  /** The attempt failed, and there is to be another one. */
  retry(message: StreamMessage, delayMs: number): void {
    this.retries.push({ message, delayMs });
    this.schedule(this.retries);
  }

  /** There is not to be another attempt. */
  deadLetter(entry: DeadEntry): void {
    this.track('write a dead letter', [entry], () => this.sendDeadLetter(entry));
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { successes, releases, handOvers, retries } = this;
    this.successes = [];
    this.releases = [];
    this.handOvers = [];
    this.retries = [];
    const [committed, redriven] = apart(successes, (message) => message);
    this.track('commit', committed, () => this.sendCommit(committed));
    this.track('commit', redriven, () => this.sendCommitRedrives(redriven));
    this.track('release', releases, () => this.sendRelease(releases));
    this.track('hand over', handOvers, () => this.sendHandOver(handOvers));
    for (const some of apart(retries, ({ message }) => message)) {
      const putOff = some.map(({ message }) => message);
      this.track('put off', putOff, () => this.sendRetries(some));
    }
  }

  /** Sends what waits, and is fulfilled once all of it is settled or given up on. */
  async drained(): Promise<void> {
    this.flush();
    await Promise.all(this.underWay);
  }

  private schedule(waiting: readonly unknown[]): void {
    if (waiting.length >= this.parts.options.batchSize) return this.flush();
    this.timer ??= setTimeout(() => this.flush(), LONGEST_WAIT_MS);
  }

  private track(
    what: string,
    entries: readonly { readonly entryId: string }[],
    send: () => Promise<unknown>,
  ): void {
    if (entries.length === 0) return;
    const { signal, onFault, onDone, onSettled } = this.parts;
    const settle = async (): Promise<void> => {
      try {
        await persist(send, signal, (error) => onFault(what, error));
        onDone();
      } catch {
        // Closed: what was not recorded stays pending, and is found there.
      }
      this.underWay.delete(done);
      onSettled(entries.map(({ entryId }) => entryId));
    };
    const done = settle();
    this.underWay.add(done);
  }

  private fenceOf(entry: Pick<StreamMessage, 'entryId'> | undefined): string {
    const { options, token } = this.parts;
    return entry !== undefined && isLeased(entry, options) ? token : '';
  }

  private sendCommit(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, group, options } = this.parts;
    const entryIds = messages.map(({ entryId }) => entryId);
    if (options.dedup === false && messages.every(({ attempt }) => attempt === 1)) {
      return client.xack(keys.stream, group, ...entryIds);
    }
    const messageIds = messages.map(({ messageId }) => messageId);
    return commitScript.run(
      client,
      [keys.stream, keys.ledger, keys.leases, keys.retries, keys.attempts],
      [
        group,
        options.dedup === false ? 0 : 1,
        JSON.stringify(entryIds),
        JSON.stringify(messageIds),
      ],
    );
  }

  private sendCommitRedrives(redrives: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, options } = this.parts;
    return commitRedrivesScript.run(
      client,
      [keys.ledger, keys.leases, keys.retries, keys.attempts, keys.deadLetters],
      [
        options.dedup === false ? 0 : 1,
        ...redrives.flatMap((message) => [
          message.entryId,
          message.messageId,
          leaseIdOf(message, options),
        ]),
      ],
    );
  }

  private async sendRelease(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, token, options } = this.parts;
    const leased = messages.filter((message) => isLeased(message, options));
    if (leased.length === 0) return;
    return releaseScript.run(client, [keys.leases], [token, ...this.idsOf(leased)]);
  }

  private sendHandOver(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, token } = this.parts;
    return handOverScript.run(
      client,
      [keys.leases, keys.retries],
      [token, ...this.idsOf(messages)],
    );
  }

  private sendRetries(retries: readonly Retry[]): Promise<unknown> {
    const { client, keys, group, consumer, options } = this.parts;
    const rows = retries.flatMap(({ message, delayMs }) => [
      message.entryId,
      leaseIdOf(message, options),
      message.attempt,
      delayMs,
    ]);
    return scheduleRetryScript.run(
      client,
      [keys.stream, keys.leases, keys.retries, keys.attempts],
      [group, consumer, this.fenceOf(retries[0]?.message), ...rows],
    );
  }

  private sendDeadLetter(entry: DeadEntry): Promise<unknown> {
    const { entryId, leased, fields } = entry;
    const { client, keys, group, consumer, options } = this.parts;
    return deadLetterScript.run(
      client,
      [keys.stream, keys.leases, keys.retries, keys.attempts, keys.deadLetters],
      [
        group,
        consumer,
        leased ? this.fenceOf(entry) : '',
        options.delivery === 'at-most-once' && leased ? 1 : 0,
        options.deadLetter.maxLength ?? '',
        entryId,
        leaseIdOf(entry, options),
        ...fields,
      ],
    );
  }

  private idsOf(messages: readonly StreamMessage[]): string[] {
    const { options } = this.parts;
    return messages.flatMap((message) => [message.entryId, leaseIdOf(message, options)]);
  }
}

/** Entries and redrives: they are recorded in scripts of their own, or with fences of their own. */
function apart<Item>(
  items: Item[],
  messageOf: (item: Item) => StreamMessage,
): readonly [Item[], Item[]] {
  const isOne = (item: Item): boolean => isRedrive(messageOf(item).entryId);
  // Most often there are none.
  if (!items.some(isOne)) return [items, []];
  return [items.filter((item) => !isOne(item)), items.filter(isOne)];
}
