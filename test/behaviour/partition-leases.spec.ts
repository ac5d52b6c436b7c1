import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { partitionNames } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { keyedEntries, KeyedRuns, upTo } from '../support/keyed-runs.js';
import {
  deadLettersOf,
  gate,
  GROUP,
  keyOfEach,
  partitionKey,
  PARTITION_MODES,
  startMember,
} from '../support/partition-apps.js';
import { addToPartitions, arePartitionsCaughtUp } from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const PARTITIONS = 2;
const LEASE_MS = 1_000;
const RECOVERY = { recovery: { minIdleMs: LEASE_MS, intervalMs: 300 } };
const LONG = { timeoutMs: 60_000 };

const redis = redisForTests();
closeAppsAfterEach();

const redisMs = async (): Promise<number> => {
  const [seconds, micros] = await redis.client.time();
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
};

/** By Redis's clock, which determines when leases end. */
async function leasesLater(count: number): Promise<void> {
  const from = await redisMs();
  await waitFor(async () => (await redisMs()) - from > count * LEASE_MS, LONG);
}

const caughtUp = (stream: string): Promise<unknown> =>
  waitFor(() => arePartitionsCaughtUp(redis.client, stream, PARTITIONS, GROUP), LONG);

describe.each(PARTITION_MODES)('in a partition, %s', (_, mode) => {
  it('a handler that runs for three leases keeps its message, and what waits behind it stays in order', async () => {
    const stream = freshName('orders');
    const [key = '', other = ''] = keyOfEach(PARTITIONS);
    const { wait, open } = gate();
    const signals: AbortSignal[] = [];
    const runs = new KeyedRuns(async ({ key: ownKey, n }, context) => {
      if (ownKey !== key || n !== 0) return;
      signals.push(context.getSignal());
      await wait;
    });
    await startMember(redis.url, stream, PARTITIONS, runs, { ...mode, concurrency: 2 }, RECOVERY);
    const bodies = [
      ...upTo(20).map((n) => ({ key, n })),
      ...upTo(20).map((n) => ({ key: other, n })),
    ];
    const entries = bodies.map((body) => ({ body, key: body.key }));
    await addToPartitions(redis.client, stream, PARTITIONS, entries);
    await waitFor(() => signals.length === 1);
    await leasesLater(3);
    expect(runs.of(other)).toEqual(upTo(20));
    open();
    await caughtUp(stream);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    expect(runs.of(key)).toEqual(upTo(20));
    expect(runs.started).toHaveLength(40);
    for (const name of partitionNames(stream, PARTITIONS)) {
      expect(await redis.client.hgetall(partitionKey(name, 'leases'))).toEqual({});
      expect(await redis.client.exists(partitionKey(name, 'attempts'))).toBe(0);
    }
  });

  it('a redriven message that runs for three leases keeps its lease, and runs once', async () => {
    const stream = freshName('orders');
    const [key = ''] = keyOfEach(PARTITIONS);
    const { wait, open } = gate();
    const signals: AbortSignal[] = [];
    const runs = new KeyedRuns(async (_body, context) => {
      if (signals.length === 0 && runs.started.length === 1) throw new Error('fails first');
      signals.push(context.getSignal());
      await wait;
    });
    const app = await startMember(
      redis.url,
      stream,
      PARTITIONS,
      runs,
      { ...mode, retry: { maxAttempts: 1 } },
      RECOVERY,
    );
    await addToPartitions(redis.client, stream, PARTITIONS, [{ body: { key, n: 0 }, key }]);
    await waitFor(async () => (await deadLettersOf(app).count({ stream })) === 1);
    await deadLettersOf(app).redrive({ stream });
    await waitFor(() => signals.length === 1);
    await leasesLater(3);
    open();
    await waitFor(() => runs.handled.length === 1);
    await waitFor(async () => (await deadLettersOf(app).count({ stream })) === 0);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    expect(runs.started).toEqual([`${key}:0`, `${key}:0`]);
  });
});

it('with a short recovery interval, one process keeps the order of every key while its heartbeat goes on', async () => {
  const stream = freshName('orders');
  const runs = new KeyedRuns(() => delay(4));
  await addToPartitions(redis.client, stream, PARTITIONS, keyedEntries(50, 40));
  await startMember(redis.url, stream, PARTITIONS, runs, { concurrency: 8 }, RECOVERY);
  // Long enough for leases to be renewed several times while messages wait.
  await leasesLater(2);
  await addToPartitions(redis.client, stream, PARTITIONS, keyedEntries(50, 20, 40));
  await caughtUp(stream);
  for (const key of upTo(50)) expect(runs.of(`k${key}`)).toEqual(upTo(60));
  expect(runs.started).toHaveLength(3_000);
  expect(runs.together).toEqual([]);
});
