import { setTimeout as delay } from 'node:timers/promises';

import type { Redis } from 'ioredis';

import { partitionName, partitionNames, partitionOf } from '../../../lib/wire/partitions.js';
import { streamKeys } from '../../../lib/wire/stream-keys.js';
import { freshName } from '../../support/fresh-name.js';
import { isCaughtUp } from '../../support/group-state.js';
import { waitFor } from '../../support/wait-for.js';
import { ChaosConsumer, type ConsumerSetup } from './chaos-consumer.js';
import { type CommandProxy, commandProxy } from './command-proxy.js';
import { type Bound, type Counts, countMessages, deadLetters } from './counts.js';
import { type Journal, sharedNowMs } from './journal.js';
import { Publisher } from './publisher.js';
import { Random } from './random.js';
import type { Spares } from './spares.js';
import type { Work } from './work.js';

export interface ChaosRunParts {
  readonly seed: number;
  readonly redisUrl: string;
  /** A connection that no fault is injected into. */
  readonly redis: Redis;
  readonly journal: Journal;
  readonly spares: Spares;
}

/** One run of one scenario: a stream of its own, its consumers, and what was published. */
export class ChaosRun {
  readonly stream = freshName('orders');
  readonly group = 'billing';
  readonly keys = streamKeys('', this.stream, this.group);
  readonly random: Random;
  readonly journal: Journal;
  /** Messages that Redis has, by their IDs. */
  readonly published = new Set<string>();
  /** What each was asked to do. */
  private readonly works = new Map<string, Work>();
  /** Inspects the current Redis; a failover replaces it. */
  redis: Redis;
  /** Where consumers without a proxy of their own connect. */
  redisUrl: string;
  readonly consumers: ChaosConsumer[] = [];
  /** The faults and their times, to understand a failure. */
  readonly notes: { readonly at: number; readonly what: string }[] = [];
  private readonly proxies: CommandProxy[] = [];
  private readonly publishers: Publisher[] = [];
  private lastId = 0;
  /** The number of partitions of its stream, if any. Set before anything is started. */
  partitions: number | undefined;

  constructor(private readonly parts: ChaosRunParts) {
    this.random = new Random(parts.seed);
    this.journal = parts.journal;
    this.redis = parts.redis;
    this.redisUrl = parts.redisUrl;
  }

  /** Records a fault. */
  note(what: string): void {
    this.notes.push({ at: sharedNowMs(), what });
  }

  /** A proxy to Redis that is closed with the run. */
  async proxy(): Promise<CommandProxy> {
    const proxy = await commandProxy(this.redisUrl);
    this.proxies.push(proxy);
    return proxy;
  }

  /** Starts a consumer, with a proxy of its own unless one is given. */
  async consumer(setup: ConsumerSetup & { proxy?: CommandProxy } = {}): Promise<ChaosConsumer> {
    const { spares, journal } = this.parts;
    const { stream, group } = this;
    const proxy = setup.proxy ?? (await this.proxy());
    const { partitions } = this;
    const spread = partitions === undefined ? {} : { streams: { [stream]: { partitions } } };
    const consumer = await ChaosConsumer.start(
      { spares, stream, group, journal, proxy },
      { ...setup, options: { ...spread, ...setup.options } },
    );
    this.consumers.push(consumer);
    return consumer;
  }

  /** Starts consumers, and waits until they read. */
  async readyConsumers(count: number, setup?: ConsumerSetup): Promise<ChaosConsumer[]> {
    const starting = Array.from({ length: count }, async () =>
      (await this.consumer(setup)).ready(),
    );
    return Promise.all(starting);
  }

  /** An ID for a message. */
  newMessage(work: Work): string {
    const id = `m${++this.lastId}`;
    this.works.set(id, work);
    return id;
  }

  /** The messages that fail that often, and so become dead letters. */
  failing(maxAttempts: number): Set<string> {
    const fail = [...this.works].filter(([, { fails = 0 }]) => fails >= maxAttempts);
    return new Set(fail.map(([id]) => id));
  }

  /** A publisher with the real client; it is closed with the run. */
  publisher(url = this.redisUrl): Publisher {
    const publisher = new Publisher(this, url);
    this.publishers.push(publisher);
    return publisher;
  }

  /** Makes Redis write messages, without a client in between. @returns their IDs */
  async add(count: number, work: (n: number) => Work = () => ({})): Promise<string[]> {
    const pipeline = this.redis.pipeline();
    const ids = Array.from({ length: count }, (_, n) => {
      const asked = work(n);
      const id = this.newMessage(asked);
      const fields = ['name', this.stream, 'body', JSON.stringify(asked), 'id', id];
      if (asked.key !== undefined) fields.push('key', asked.key);
      pipeline.xadd(this.nameFor(asked.key ?? id), '*', ...fields);
      return id;
    });
    const replies = (await pipeline.exec()) ?? [];
    for (const [error] of replies) if (error !== null) throw error;
    for (const id of ids) this.published.add(id);
    return ids;
  }

  /** Adds messages for as long as something else takes. */
  async addDuring<Result>(
    doing: Promise<Result>,
    works: () => readonly Work[],
    everyMs = 50,
  ): Promise<Result> {
    const over = new AbortController();
    const end = (): void => over.abort();
    doing.then(end, end);
    while (!over.signal.aborted) {
      const asked = works();
      await this.add(asked.length, (n) => asked[n] ?? {});
      await delay(everyMs);
    }
    return doing;
  }

  /** The messages in the ledger. */
  async ledger(): Promise<Set<string>> {
    const ledgers = this.names.map((name) => streamKeys('', name, this.group).ledger);
    const ids = ledgers.map((ledger) => this.redis.zrange(ledger, '0', '-1'));
    return new Set((await Promise.all(ids)).flat());
  }

  /** The messages that are dead letters. */
  async deadLetters(): Promise<string[]> {
    return deadLetters(this.redis, this.keys);
  }

  /** The messages whose handlers succeeded. */
  async handled(): Promise<Set<string>> {
    const runs = await this.journal.runs();
    return new Set(
      runs.filter(({ outcome }) => outcome === 'handled').map(({ messageId }) => messageId),
    );
  }

  /**
   * What a dead or stopped consumer had started and not committed: it may have had its effect, and the guarantees
   * let it run again.
   *
   * @param ledger what was committed when it was cut off; what is committed now, unless another consumer may
   * have done so since
   */
  async cutOff(consumer: ChaosConsumer, ledger?: ReadonlySet<string>): Promise<Set<string>> {
    const committed = ledger ?? (await this.ledger());
    const begun = (await consumer.runs()).filter(({ outcome }) => outcome !== 'failed');
    return new Set(begun.map(({ messageId }) => messageId).filter((id) => !committed.has(id)));
  }

  /** Resolves once nothing is pending or unread; `fresh` healthy consumers help. */
  async drain({ fresh = 1, timeoutMs = 30_000 } = {}): Promise<void> {
    await this.readyConsumers(fresh, { options: { concurrency: 10 } });
    await waitFor(() => this.isCaughtUp(), {
      timeoutMs,
      description: 'everything is read, and nothing pending',
    });
  }

  /** The stream's name in Redis: each partition has a name of its own. */
  get names(): readonly string[] {
    const { stream, partitions } = this;
    return partitions === undefined ? [stream] : partitionNames(stream, partitions);
  }

  private nameFor(key: string): string {
    const { stream, partitions } = this;
    return partitions === undefined ? stream : partitionName(stream, partitionOf(key, partitions));
  }

  private async isCaughtUp(): Promise<boolean> {
    const all = this.names.map((name) => isCaughtUp(this.redis, name, this.group));
    return (await Promise.all(all)).every(Boolean);
  }

  async counts(bound: Bound): Promise<Counts> {
    const runs = await this.journal.runs();
    return countMessages(this, this.published, runs, bound);
  }

  async close(): Promise<void> {
    await Promise.all(this.publishers.map((publisher) => publisher.close()));
    await Promise.all(this.consumers.map((consumer) => consumer.kill()));
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }
}
