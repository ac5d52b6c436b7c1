import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import type { RedisStreamsContext, SubscriptionOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addToPartitions, arePartitionsCaughtUp, ownersOf } from '../support/partitions.js';
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

interface Body {
  readonly key: string;
  readonly n: number;
}

const LONG = { timeoutMs: 30_000 };

/** What ran, and what ran at the same time. */
class Runs {
  readonly started: string[] = [];
  readonly handled: string[] = [];
  readonly together: string[] = [];
  most = 0;
  private readonly now = new Set<string>();

  constructor(
    private readonly work: (body: Body, context: RedisStreamsContext) => unknown = () => undefined,
  ) {}

  readonly handle = async (body: Body, context: RedisStreamsContext): Promise<void> => {
    const { key, n } = body;
    this.started.push(`${key}:${n}`);
    if (this.now.has(key)) this.together.push(`${key}:${n}`);
    this.now.add(key);
    this.most = Math.max(this.most, this.now.size);
    try {
      await this.work(body, context);
      this.handled.push(`${key}:${n}`);
    } finally {
      this.now.delete(key);
    }
  };

  of(key: string): number[] {
    return this.handled
      .filter((its) => its.startsWith(`${key}:`))
      .map((its) => Number(its.split(':')[1]));
  }
}

function start(
  stream: string,
  runs: Runs,
  options: SubscriptionOptions = {},
  partitions = PARTITIONS,
): Promise<StreamsApp> {
  return streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      streams: { [stream]: { partitions } },
    },
    { controllers: [handlerOf<Body>(stream, runs.handle, options)] },
  );
}

const entriesOf = (keys: number, each: number): { body: Body; key: string }[] =>
  Array.from({ length: each }, (_, n) =>
    Array.from({ length: keys }, (__, k) => ({ body: { key: `k${k}`, n }, key: `k${k}` })),
  ).flat();

const inOrder = (each: number): number[] => Array.from({ length: each }, (_, n) => n);

describe('a stream with partitions', () => {
  it('runs messages of one key one after the other and in order, and different keys side by side', async () => {
    const stream = freshName('orders');
    await addToPartitions(redis.client, stream, PARTITIONS, entriesOf(20, 10));
    const runs = new Runs(() => delay(Math.random() * 4));
    await start(stream, runs, { concurrency: 10 });
    await waitFor(() => runs.handled.length === 200, LONG);
    for (let key = 0; key < 20; key++) expect(runs.of(`k${key}`)).toEqual(inOrder(10));
    expect(runs.together).toEqual([]);
    expect(runs.most).toBeGreaterThan(3);
    expect(runs.most).toBeLessThanOrEqual(10);
    await waitFor(() => arePartitionsCaughtUp(redis.client, stream, PARTITIONS, GROUP), LONG);
  });

  it('is shared evenly by members that come and go, and nothing is run twice or out of order', async () => {
    const stream = freshName('orders');
    const runs = new Runs(() => delay(2));
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
      await addToPartitions(redis.client, stream, PARTITIONS, entries);
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
    await waitFor(() => arePartitionsCaughtUp(redis.client, stream, PARTITIONS, GROUP), LONG);
    for (let key = 0; key < 16; key++) expect(runs.of(`k${key}`)).toEqual(inOrder(n));
    expect(runs.together).toEqual([]);
  }, 60_000);

  it('holds back only the key of a message that waits for its next attempt', async () => {
    const stream = freshName('orders');
    await addToPartitions(redis.client, stream, PARTITIONS, entriesOf(20, 5));
    const runs = new Runs(({ key, n }, context) => {
      if (key === 'k3' && n === 1 && context.getAttempt() < 3) throw new Error('not yet');
    });
    await start(stream, runs, {
      concurrency: 4,
      retry: { maxAttempts: 5, backoff: { type: 'fixed', delayMs: 400, jitter: 0 } },
    });
    await waitFor(() => runs.handled.length === 100, LONG);
    expect(runs.of('k3')).toEqual(inOrder(5));
    expect(runs.started.filter((its) => its === 'k3:1')).toHaveLength(3);
    // All others were through long before.
    expect(runs.handled.slice(-4).sort()).toEqual(['k3:1', 'k3:2', 'k3:3', 'k3:4']);
  });
});
