import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, describe, expect, it } from '@jest/globals';

import { partitionNames } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { type Keyed, keyedEntries, KeyedRuns, upTo } from '../support/keyed-runs.js';
import {
  deadLettersOf,
  evenlyShared,
  gate,
  GROUP,
  keyOfEach,
  partitionKey,
  PARTITION_MODES,
  partitionOwners,
  startMember,
} from '../support/partition-apps.js';
import { addToPartitions, arePartitionsCaughtUp } from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, type StreamsApp } from '../support/streams-app.js';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const LONG = { timeoutMs: 60_000 };

const redis = redisForTests();
closeAppsAfterEach();
const proxies: TcpProxy[] = [];
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

/**
 * A connection to Redis with a few milliseconds of latency: what is under way when an ownership ends is seen
 * late.
 */
async function slowRedis(): Promise<string> {
  const proxy = await tcpProxy(redis.url, { latencyMs: 2 });
  proxies.push(proxy);
  return proxy.url;
}

const caughtUp = (stream: string, partitions: number): Promise<unknown> =>
  waitFor(() => arePartitionsCaughtUp(redis.client, stream, partitions, GROUP), {
    timeoutMs: 60_000,
  });

const publish = (stream: string, partitions: number, bodies: readonly Keyed[]): Promise<unknown> =>
  addToPartitions(
    redis.client,
    stream,
    partitions,
    bodies.map((body) => ({ body, key: body.key })),
  );

const consumerOf = ({ server }: StreamsApp): string => server.options.consumer;

async function expectNothingLeft(stream: string, partitions: number): Promise<void> {
  for (const name of partitionNames(stream, partitions)) {
    const rows = ['leases', 'attempts', 'retries'].map((what) =>
      redis.client.exists(partitionKey(name, what)),
    );
    expect(await Promise.all(rows)).toEqual([0, 0, 0]);
    expect(await redis.client.xlen(partitionKey(name, 'dead-letters'))).toBe(0);
  }
}

describe.each(PARTITION_MODES)('a member that closes, %s', (_, mode) => {
  it('hands over each partition as soon as none of its messages runs, while a handler in another one continues', async () => {
    const stream = freshName('orders');
    const partitions = 4;
    const { wait, open } = gate();
    const runs = new KeyedRuns(({ n }) => (n === 0 ? wait : undefined));
    const closing = await startMember(redis.url, stream, partitions, runs, {
      ...mode,
      concurrency: 4,
    });
    const staying = await startMember(redis.url, stream, partitions, runs, mode);
    const owners = await evenlyShared(redis, stream, partitions);
    const owned = owners.flatMap((owner, at) => (owner === consumerOf(closing) ? [at] : []));
    const [busy = 0, idle = 0] = owned;
    const keys = keyOfEach(partitions);
    await publish(stream, partitions, [{ key: keys[busy] ?? '', n: 0 }]);
    await waitFor(() => runs.started.length === 1);

    const closed = closing.close();
    await waitFor(async () => {
      const owner = (await partitionOwners(redis, stream, partitions))[idle];
      return owner === consumerOf(staying);
    }, LONG);
    const bodies = upTo(20).map((n) => ({ key: keys[idle] ?? '', n: n + 1 }));
    await publish(stream, partitions, bodies);
    await waitFor(() => runs.handled.length === 20, LONG);
    // The handler still runs, so its partition still belongs to the closing member.
    expect((await partitionOwners(redis, stream, partitions))[busy]).toBe(consumerOf(closing));
    open();
    await closed;
    await waitFor(async () => {
      const all = await partitionOwners(redis, stream, partitions);
      return all.every((owner) => owner === consumerOf(staying));
    }, LONG);
    await caughtUp(stream, partitions);
    expect(runs.started).toHaveLength(21);
    await expectNothingLeft(stream, partitions);
  });

  it('hands over idle partitions even if a handler outlasts the drain timeout', async () => {
    const stream = freshName('orders');
    const partitions = 2;
    const { wait, open } = gate();
    const runs = new KeyedRuns(({ n }) => (n === 0 ? wait : undefined));
    const [busy = '', idle = ''] = keyOfEach(partitions);
    const shutdown = { shutdown: { drainTimeoutMs: 1_000 } };
    const closing = await startMember(redis.url, stream, partitions, runs, mode, shutdown);
    await publish(stream, partitions, [{ key: busy, n: 0 }]);
    await waitFor(() => runs.started.length === 1);
    await closing.close();
    try {
      // No member was there to take it: it has been released anyway.
      expect((await partitionOwners(redis, stream, partitions))[1]).toBeUndefined();
      expect((await partitionOwners(redis, stream, partitions))[0]).toBe(consumerOf(closing));
      await publish(stream, partitions, [{ key: idle, n: 1 }]);
      await startMember(redis.url, stream, partitions, runs, mode);
      await waitFor(() => runs.of(idle).length === 1, LONG);
    } finally {
      open();
    }
  });

  it('counts no attempt of what did not start, however late it was delivered', async () => {
    const stream = freshName('orders');
    const partitions = 4;
    const url = await slowRedis();
    const attempts: number[] = [];
    const runs = new KeyedRuns((_body, context) => void attempts.push(context.getAttempt()));
    const options = { ...mode, concurrency: 4, batchSize: 20, retry: { maxAttempts: 1 } };
    const start = (): Promise<StreamsApp> => startMember(url, stream, partitions, runs, options);
    const staying = await start();
    let n = 0;
    const publishing = async (): Promise<void> => {
      while (n < 150) {
        await addToPartitions(redis.client, stream, partitions, keyedEntries(20, 1, n++));
        await delay(5);
      }
    };
    const published = publishing();
    for (let round = 0; round < 3; round++) {
      const joining = await start();
      await evenlyShared(redis, stream, partitions);
      await joining.close();
    }
    await published;
    await caughtUp(stream, partitions);
    await waitFor(() => runs.handled.length === 3_000, LONG);
    expect(await deadLettersOf(staying).list({ stream })).toEqual([]);
    for (const key of upTo(20)) expect(runs.of(`k${key}`)).toEqual(upTo(150));
    expect(new Set(attempts)).toEqual(new Set([1]));
    await expectNothingLeft(stream, partitions);
  });

  it('leaves a backlog to the next owner unchanged: nothing runs alone or as another attempt', async () => {
    const stream = freshName('orders');
    const partitions = 2;
    await addToPartitions(redis.client, stream, partitions, keyedEntries(100, 5));
    const options = { ...mode, concurrency: 8, batchSize: 50 };
    const attempts: number[] = [];
    const runs = new KeyedRuns(async (_body, context) => {
      attempts.push(context.getAttempt());
      await delay(2);
    });
    for (const handled of [50, 100]) {
      const closing = await startMember(redis.url, stream, partitions, runs, options);
      await waitFor(() => runs.handled.length >= handled, LONG);
      await closing.close();
    }
    expect(runs.handled.length).toBeLessThan(500);
    const before = runs.most;
    runs.most = 0;
    await startMember(redis.url, stream, partitions, runs, options);
    await caughtUp(stream, partitions);
    await waitFor(() => runs.handled.length === 500, LONG);
    expect(new Set(attempts)).toEqual(new Set([1]));
    expect(Math.min(before, runs.most)).toBeGreaterThan(1);
    for (const key of upTo(100)) expect(runs.of(`k${key}`)).toEqual(upTo(5));
    await expectNothingLeft(stream, partitions);
  });

  it.each(['closes', 'gives the partition to a member that joins'])(
    'passes on a redriven message that waits behind its key when it %s',
    async (how) => {
      const stream = freshName('orders');
      const partitions = 2;
      const { wait, open } = gate();
      let fails = true;
      const runs = new KeyedRuns(({ n }) => {
        if (n === 0 && fails) throw new Error('fails first');
        return n === 1 ? wait : undefined;
      });
      const options = { ...mode, concurrency: 2, retry: { maxAttempts: 1 } };
      const first = await startMember(redis.url, stream, partitions, runs, options);
      // The member that joins takes the partition that was taken last.
      const keys = keyOfEach(partitions);
      await publish(
        stream,
        partitions,
        keys.map((key) => ({ key, n: 0 })),
      );
      await waitFor(async () => (await deadLettersOf(first).count({ stream })) === 2);
      fails = false;
      await publish(
        stream,
        partitions,
        keys.map((key) => ({ key, n: 1 })),
      );
      await waitFor(() => runs.started.length === 4);
      await deadLettersOf(first).redrive({ stream });
      // Both have been read, and wait behind the running handler: they are due again after a lease.
      const areRead = async (): Promise<boolean> => {
        const rows = await Promise.all(
          partitionNames(stream, partitions).map((name) =>
            redis.client.zrange(partitionKey(name, 'retries'), '0', '-1', 'WITHSCORES'),
          ),
        );
        return rows.every(([, due]) => Number(due) > Date.now() + 10_000);
      };
      await waitFor(areRead);
      const closed = how === 'closes' ? first.close() : Promise.resolve();
      const second = await startMember(redis.url, stream, partitions, runs, options);
      if (how !== 'closes') {
        const owned = async (): Promise<number | undefined> =>
          (await first.monitor.getStats()).partitions[0]?.owned.length;
        await waitFor(async () => (await owned()) === 1, LONG);
      }
      open();
      await closed;
      // Far sooner than a lease ends, which lasts a minute.
      await waitFor(() => keys.every((key) => String(runs.of(key)) === '1,0'), {
        timeoutMs: 60_000,
      });
      await waitFor(async () => (await deadLettersOf(second).count({ stream })) === 0);
      await caughtUp(stream, partitions);
      await expectNothingLeft(stream, partitions);
    },
  );
});

describe('a key whose message waits for a retry', () => {
  const RETRY = { retry: { backoff: { type: 'fixed', delayMs: 60_000, jitter: 0 } } } as const;
  const OTHERS = upTo(30).map((n) => ({ key: 'good', n }));

  it.each([
    ['at-least-once', {}],
    ['without a ledger', { dedup: false }],
  ] as const)(
    'does not hold up other keys of its partition, however much waits behind it, %s',
    async (_, mode) => {
      const stream = freshName('orders');
      const runs = new KeyedRuns(({ key }) => {
        if (key === 'bad') throw new Error('not yet');
      });
      const behind = upTo(90).map((n) => ({ key: 'bad', n }));
      await publish(stream, 1, [...behind, ...OTHERS]);
      await startMember(redis.url, stream, 1, runs, {
        ...mode,
        ...RETRY,
        batchSize: 10,
        concurrency: 2,
      });
      await waitFor(() => runs.of('good').length === 30, LONG);
      expect(runs.of('good')).toEqual(upTo(30));
      expect(runs.started.filter((each) => each.startsWith('bad'))).toEqual(['bad:0']);
    },
  );
});
