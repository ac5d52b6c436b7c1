import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { DeadLetterException } from '../../lib/index.js';
import { partitionName, partitionNames } from '../../lib/wire/partitions.js';
import { childProgram, type ChildProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { KeyedRuns } from '../support/keyed-runs.js';
import {
  deadLettersOf,
  evenlyShared,
  gate,
  GROUP,
  keyOfEach,
  partitionKey,
  partitionOwners,
  startMember,
} from '../support/partition-apps.js';
import { addToPartitions, arePartitionsCaughtUp } from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, type StreamsApp } from '../support/streams-app.js';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const LONG = { timeoutMs: 60_000 };
const PARTITIONS = 4;

const redis = redisForTests({ args: [] });
closeAppsAfterEach();
let compiled: CompiledPackage;
beforeAll(async () => {
  compiled = await compiledPackage('test/support/programs');
});
afterEach(endChildPrograms);
const proxies: TcpProxy[] = [];
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

const consumerOf = ({ server }: StreamsApp): string => server.options.consumer;
const ownersOf = (stream: string): Promise<(string | undefined)[]> =>
  partitionOwners(redis, stream, PARTITIONS);

function memberProcess(stream: string): ChildProgram {
  return childProgram(compiled.program('test/support/programs/partition-member.program.ts'), {
    env: { REDIS_URL: redis.url, STREAM: stream, PARTITIONS: String(PARTITIONS) },
  });
}

/**
 * Watches who owns the partitions until it is stopped.
 *
 * @returns each change of owner, per partition
 */
function watchOwners(stream: string): () => Promise<string[][]> {
  const changes = Array.from({ length: PARTITIONS }, (): string[] => []);
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const epochs = await Promise.all(
        partitionNames(stream, PARTITIONS).map((name) =>
          redis.client.hget(partitionKey(name, 'owner'), 'epoch'),
        ),
      );
      for (const [at, epoch] of epochs.entries()) {
        if (epoch !== null && changes[at]?.at(-1) !== epoch) changes[at]?.push(epoch);
      }
    }
  })();
  return async () => {
    over.abort();
    await watching;
    return changes;
  };
}

describe('a member that was stopped for longer than its ownership lasts', () => {
  it.each(['while a handler runs that never ends', 'with nothing to do'])(
    'gets its share back, and no partition is left without an owner, %s',
    async (how) => {
      const stream = freshName('orders');
      const stopped = memberProcess(stream);
      await waitFor(() => stopped.output().includes('listening'), { timeoutMs: 60_000 });
      const runs = new KeyedRuns();
      const other = await startMember(redis.url, stream, PARTITIONS, runs);
      const before = await evenlyShared(redis, stream, PARTITIONS);
      const keys = keyOfEach(PARTITIONS);
      const owned = before.flatMap((owner, at) => (owner === consumerOf(other) ? [] : [at]));
      if (how !== 'with nothing to do') {
        const key = keys[owned[0] ?? 0] ?? '';
        const body = { key, n: 0, hangs: true };
        await addToPartitions(redis.client, stream, PARTITIONS, [{ body, key }]);
        await waitFor(() => stopped.output().includes(`running ${key}:0`), LONG);
      }
      const endWatch = watchOwners(stream);
      stopped.kill('SIGSTOP');
      await waitFor(
        async () => (await ownersOf(stream)).every((owner) => owner === consumerOf(other)),
        LONG,
      );
      // What the stopped member was running is run again by the next owner.
      const isRunAgain = how === 'with nothing to do' ? 0 : 1;
      await waitFor(() => runs.handled.length === isRunAgain, LONG);
      stopped.kill('SIGCONT');
      await evenlyShared(redis, stream, PARTITIONS);
      // All partitions have an owner: whatever is published now is handled.
      const entries = keys.map((key) => ({ body: { key, n: 1 }, key }));
      await addToPartitions(redis.client, stream, PARTITIONS, entries);
      await waitFor(
        () =>
          keys.every(
            (key) =>
              runs.handled.includes(`${key}:1`) || stopped.output().includes(`running ${key}:1`),
          ),
        LONG,
      );
      // There and back, at most.
      for (const epochs of await endWatch()) expect(epochs.length).toBeLessThanOrEqual(3);
    },
  );
});

describe.each([
  ['at-least-once', {}],
  ['without a ledger', { dedup: false }],
] as const)('a handler that still runs after its partition was lost, %s', (_, mode) => {
  it('does no harm by failing late: the message that runs again is handled', async () => {
    const stream = freshName('orders');
    const name = partitionName(stream, 0);
    const [late, again] = [gate(), gate()];
    const runs = new KeyedRuns(async () => {
      if (runs.started.length > 1) return again.wait;
      await late.wait;
      throw new DeadLetterException('too late');
    });
    const app = await startMember(redis.url, stream, 1, runs, { ...mode, concurrency: 2 });
    await addToPartitions(redis.client, stream, 1, [{ body: { key: 'k', n: 0 }, key: 'k' }]);
    await waitFor(() => runs.started.length === 1);
    // Another member took the partition and died.
    await redis.client.hset(partitionKey(name, 'owner'), {
      consumer: 'ghost',
      token: 'ghost',
      epoch: Date.now() * 2,
      'ends-at': 0,
    });
    await waitFor(() => runs.started.length === 2, LONG);
    late.open();
    await waitFor(() => app.server.inFlight === 1);
    again.open();
    await waitFor(() => arePartitionsCaughtUp(redis.client, stream, 1, GROUP), LONG);
    expect(runs.handled).toEqual(['k:0']);
    expect(await deadLettersOf(app).count({ stream })).toBe(0);
    expect(await redis.client.exists(partitionKey(name, 'retries'))).toBe(0);
  });
});

describe('if Redis loses who owns a partition', () => {
  it('an earlier owner that was away does not take it back from the new one', async () => {
    const stream = freshName('orders');
    const name = partitionName(stream, 0);
    const owner = (field: string): Promise<string | null> =>
      redis.client.hget(partitionKey(name, 'owner'), field);
    // It had many owners before.
    await redis.client.hset(partitionKey(name, 'owner'), 'epoch', 41);
    const proxy = await tcpProxy(redis.url);
    proxies.push(proxy);
    const runs = new KeyedRuns();
    const away = await startMember(proxy.url, stream, 1, runs);
    expect(await owner('consumer')).toBe(consumerOf(away));
    proxy.freeze();
    await redis.client.del(
      partitionKey(name, 'owner'),
      `stream:{${stream}}:group:${GROUP}:members`,
      `stream:{${stream}}:group:${GROUP}:members:holdings`,
    );
    const next = await startMember(redis.url, stream, 1, runs);
    await waitFor(async () => (await owner('consumer')) === consumerOf(next), LONG);
    const epoch = await owner('epoch');
    proxy.thaw();
    await waitFor(async () => {
      const { partitions } = await away.monitor.getStats();
      return partitions[0]?.owned.length === 0;
    }, LONG);
    expect(await owner('consumer')).toBe(consumerOf(next));
    expect(await owner('epoch')).toBe(epoch);
    await addToPartitions(redis.client, stream, 1, [{ body: { key: 'k', n: 0 }, key: 'k' }]);
    await waitFor(() => runs.handled.length === 1);
  });

  it('and the number of partitions, both are written again', async () => {
    const stream = freshName('orders');
    const runs = new KeyedRuns();
    const app = await startMember(redis.url, stream, PARTITIONS, runs);
    const count = (): Promise<string | null> => redis.client.get(`stream:{${stream}}:partitions`);
    await waitFor(async () => (await count()) === String(PARTITIONS));
    await redis.client.flushall();
    await waitFor(async () => (await count()) === String(PARTITIONS), LONG);
    await waitFor(
      async () => (await ownersOf(stream)).every((owner) => owner === consumerOf(app)),
      LONG,
    );
  });
});
