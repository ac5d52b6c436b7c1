import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { DeadLetters, type SubscriptionOptions } from '../../lib/index.js';
import { partitionName, partitionOf } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { type Keyed, keyedEntries, KeyedRuns, upTo } from '../support/keyed-runs.js';
import {
  addToPartitions,
  arePartitionsCaughtUp,
  type KeyedEntry,
  ownersOf,
} from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const PARTITIONS = 8;

const redis = redisForTests();
closeAppsAfterEach();

const LONG = { timeoutMs: 60_000 };

function start(
  stream: string,
  runs: KeyedRuns,
  options: SubscriptionOptions = {},
): Promise<StreamsApp> {
  return streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      streams: { [stream]: { partitions: PARTITIONS } },
    },
    { controllers: [handlerOf<Keyed>(stream, runs.handle, options)] },
  );
}

const add = (stream: string, entries: readonly KeyedEntry[]): Promise<string[]> =>
  addToPartitions(redis.client, stream, PARTITIONS, entries);

const caughtUp = (stream: string): Promise<unknown> =>
  waitFor(() => arePartitionsCaughtUp(redis.client, stream, PARTITIONS, GROUP), LONG);

describe('a stream with partitions', () => {
  it('runs messages with one key one after the other and in order, and different keys concurrently', async () => {
    const stream = freshName('orders');
    await add(stream, keyedEntries(20, 10));
    const runs = new KeyedRuns(() => delay(Math.random() * 4));
    await start(stream, runs, { concurrency: 10 });
    await waitFor(() => runs.handled.length === 200, LONG);
    for (let key = 0; key < 20; key++) expect(runs.of(`k${key}`)).toEqual(upTo(10));
    expect(runs.together).toEqual([]);
    expect(runs.most).toBeGreaterThan(3);
    expect(runs.most).toBeLessThanOrEqual(10);
    await caughtUp(stream);
  });

  it('is shared evenly by members that come and go, and nothing is run twice or out of order', async () => {
    const stream = freshName('orders');
    const runs = new KeyedRuns(() => delay(2));
    const first = await start(stream, runs, { concurrency: 4 });
    const counts = async (): Promise<number[]> =>
      [...(await ownersOf(redis.client, stream, PARTITIONS, GROUP)).values()]
        .map(({ length }) => length)
        .sort();
    expect(await counts()).toEqual([8]);
    let n = 0;
    const publish = async (): Promise<void> => {
      const entries = Array.from({ length: 16 }, (_, k) => ({
        body: { key: `k${k}`, n },
        key: `k${k}`,
      }));
      n++;
      await add(stream, entries);
    };
    const publishing = setInterval(() => void publish(), 20);
    try {
      await start(stream, runs, { concurrency: 4 });
      await waitFor(async () => String(await counts()) === '4,4', LONG);
      await start(stream, runs, { concurrency: 4 });
      await waitFor(async () => String(await counts()) === '2,3,3', LONG);
      await first.close();
      await waitFor(async () => String(await counts()) === '4,4', LONG);
    } finally {
      clearInterval(publishing);
    }
    await waitFor(() => runs.handled.length >= 16 * n, LONG);
    await caughtUp(stream);
    for (let key = 0; key < 16; key++) expect(runs.of(`k${key}`)).toEqual(upTo(n));
    expect(runs.together).toEqual([]);
  });

  it('holds back only the key of a message that waits for its next attempt', async () => {
    const stream = freshName('orders');
    await add(stream, keyedEntries(20, 5));
    const runs = new KeyedRuns(({ key, n }, context) => {
      if (key === 'k3' && n === 1 && context.getAttempt() < 3) throw new Error('not yet');
    });
    await start(stream, runs, {
      concurrency: 4,
      retry: { maxAttempts: 5, backoff: { type: 'fixed', delayMs: 400, jitter: 0 } },
    });
    await waitFor(() => runs.handled.length === 100, LONG);
    expect(runs.of('k3')).toEqual(upTo(5));
    expect(runs.started.filter((each) => each === 'k3:1')).toHaveLength(3);
    // All others were finished long before.
    expect(runs.handled.slice(-4).sort()).toEqual(['k3:1', 'k3:2', 'k3:3', 'k3:4']);
  });

  it('runs at most as many messages at once as its concurrency, in all its partitions together', async () => {
    const stream = freshName('orders');
    await add(stream, keyedEntries(20, 2));
    const runs = new KeyedRuns(() => delay(1));
    await start(stream, runs);
    await waitFor(() => runs.handled.length === 40, LONG);
    expect(runs.most).toBe(1);
    expect(runs.partitions.get('k7')).toBe(partitionOf('k7', PARTITIONS));
  });

  it('hands over a blocked key unchanged: the next owner also waits for its retry', async () => {
    const stream = freshName('orders');
    await add(stream, keyedEntries(3, 3));
    const seen: number[] = [];
    const at: number[] = [];
    const runs = new KeyedRuns(({ key, n }, context) => {
      if (key !== 'k1' || n !== 0) return;
      seen.push(context.getAttempt());
      at.push(performance.now());
      if (context.getAttempt() === 1) throw new Error('not yet');
    });
    const retry = {
      maxAttempts: 3,
      backoff: { type: 'fixed', delayMs: 3_000, jitter: 0 },
    } as const;
    const first = await start(stream, runs, { retry, concurrency: 4 });
    await waitFor(() => runs.handled.length === 6, LONG);
    await first.close();
    await start(stream, runs, { retry, concurrency: 4 });
    await waitFor(() => runs.handled.length === 9, LONG);
    expect(runs.of('k1')).toEqual([0, 1, 2]);
    expect(seen).toEqual([1, 2]);
    expect(at[1]! - at[0]!).toBeGreaterThan(2_900);
    await caughtUp(stream);
  });

  it('runs what was delivered to another consumer before later messages', async () => {
    const stream = freshName('orders');
    const name = partitionName(stream, partitionOf('a', PARTITIONS));
    const runs = new KeyedRuns();
    await start(stream, runs);
    const fields = (n: number): string[] => [
      'name',
      stream,
      'key',
      'a',
      'body',
      JSON.stringify({ key: 'a', n }),
    ];
    for (let n = 0; n < 20; n += 2) {
      // As the blocked read of a former owner takes an entry, after its time.
      await redis.client
        .multi()
        .xadd(name, '*', ...fields(n))
        .xreadgroup('GROUP', GROUP, 'ghost', 'COUNT', 1, 'STREAMS', name, '>')
        .xadd(name, '*', ...fields(n + 1))
        .exec();
    }
    await waitFor(() => runs.handled.length === 20, LONG);
    expect(runs.of('a')).toEqual(upTo(20));
    await caughtUp(stream);
  });

  it('keeps a message that was published again behind the first one', async () => {
    const stream = freshName('orders');
    const runs = new KeyedRuns(({ n }) => {
      if (n === 0) throw new Error('never');
    });
    const retry = { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 300, jitter: 0 } } as const;
    await start(stream, runs, { retry, concurrency: 4 });
    await add(stream, [
      { body: { key: 'a', n: 0 }, key: 'a', id: 'one' },
      { body: { key: 'a', n: 1 }, key: 'a', id: 'one' },
      { body: { key: 'a', n: 2 }, key: 'a', id: 'two' },
      { body: { key: 'a', n: 3 }, key: 'a', id: 'two' },
      { body: { key: 'a', n: 4 }, key: 'a', id: 'three' },
    ]);
    await waitFor(() => runs.handled.includes('a:4'), LONG);
    // The first became a dead letter, so its repetition ran; that of the second did not.
    expect(runs.of('a')).toEqual([1, 2, 4]);
    expect(runs.started.filter((each) => each === 'a:0')).toHaveLength(2);
    await caughtUp(stream);
  });

  it("runs a redriven message at the end of its key's lane", async () => {
    const stream = freshName('orders');
    let works = false;
    const runs = new KeyedRuns(({ n }) => {
      if (n === 1 && !works) throw new Error('not yet');
    });
    const app = await start(stream, runs, { retry: { maxAttempts: 1 } });
    await add(stream, keyedEntries(1, 3));
    await waitFor(() => runs.handled.length === 2, LONG);
    await caughtUp(stream);
    works = true;
    const name = partitionName(stream, partitionOf('k0', PARTITIONS));
    const letters = app.app.get(DeadLetters);
    await waitFor(async () => (await letters.count({ stream: name })) === 1);
    await letters.redrive({ stream: name });
    await waitFor(() => runs.handled.length === 3, LONG);
    expect(runs.of('k0')).toEqual([0, 2, 1]);
    await waitFor(async () => (await letters.count({ stream: name })) === 0);
  });

  it('stops a partition if its retries are blocking, and runs the others', async () => {
    const stream = freshName('orders');
    await add(stream, keyedEntries(20, 1));
    const at = partitionOf('k0', PARTITIONS);
    const runs = new KeyedRuns(({ key }, context) => {
      if (key === 'k0' && context.getAttempt() === 1) throw new Error('not yet');
    });
    await start(stream, runs, {
      retry: { blocking: true, backoff: { type: 'fixed', delayMs: 800, jitter: 0 } },
    });
    await waitFor(() => runs.handled.length === 20, LONG);
    const there = runs.handled.filter(
      (each) => partitionOf(each.split(':')[0]!, PARTITIONS) === at,
    );
    expect(there[0]).toBe('k0:0');
    expect(runs.handled.slice(-there.length)).toEqual(there);
  });

  it.each([
    ['at-most-once', { delivery: 'at-most-once' }],
    ['dedup off', { dedup: false }],
    ['both', { delivery: 'at-most-once', dedup: false }],
  ] as const)(
    'also keeps the order of keys with %s, and when it is handed over',
    async (_, options) => {
      const stream = freshName('orders');
      await add(stream, keyedEntries(10, 30));
      const runs = new KeyedRuns(() => delay(1));
      const first = await start(stream, runs, { ...options, concurrency: 4 });
      await waitFor(() => runs.handled.length > 50, LONG);
      await first.close();
      expect(runs.handled.length).toBeLessThan(300);
      await start(stream, runs, { ...options, concurrency: 4 });
      await waitFor(() => runs.handled.length === 300, LONG);
      for (let key = 0; key < 10; key++) expect(runs.of(`k${key}`)).toEqual(upTo(30));
      expect(runs.together).toEqual([]);
      await caughtUp(stream);
    },
  );

  it('continues after all its keys vanished', async () => {
    const stream = freshName('orders');
    const runs = new KeyedRuns();
    await start(stream, runs, { concurrency: 4 });
    await add(stream, keyedEntries(20, 5));
    await waitFor(() => runs.handled.length === 100, LONG);
    await caughtUp(stream);
    const keys = await redis.client.keys(`*${stream}*`);
    await redis.client.del(...keys);
    await add(stream, keyedEntries(20, 5, 5));
    await waitFor(() => runs.handled.length === 200, LONG);
    for (let key = 0; key < 20; key++) expect(runs.of(`k${key}`)).toEqual(upTo(10));
    await caughtUp(stream);
  });
});
