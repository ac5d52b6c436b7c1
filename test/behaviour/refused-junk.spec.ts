import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';

import { RedisStreamsRecordBuilder } from '../../lib/index.js';
import {
  DELAYED_STREAMS_KEY,
  memberKeys,
  ownerKey,
  wildcardsKey,
} from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { keyOfEach, partitionOwners, startMember } from '../support/partition-apps.js';
import { keyed } from '../support/keyed-messages.js';
import { KeyedRuns } from '../support/keyed-runs.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { GROUP, REFUSED_MODES, type TwoStreams, twoStreams } from '../support/refusals.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: [] });
closeAppsAfterEach();

type Keys = TwoStreams['keys'];
const HUGE = '9'.repeat(30);

/** Values that this package never writes. `next` is the ID of the next entry. */
const JUNK: Record<string, (client: Redis, keys: Keys, next: string) => Promise<unknown>> = {
  'a position that is no entry ID': (client, { position }) => client.set(position, 'x'),
  'a huge number of attempts': (client, { attempts }, next) => client.hset(attempts, next, HUGE),
  'attempts that are no number': (client, { attempts }, next) =>
    client.hset(attempts, next, '-1e9'),
  'a retry that is no entry': (client, { retries }) =>
    client.zadd(retries, 0, 'x', '-5', 'y', '-5', 'z', 'inf', 'w'),
  'leases that are none': (client, { leases }) =>
    client.hset(leases, 'm', 'x', 'n', `a b ${HUGE} 1`),
};

describe.each(Object.keys(REFUSED_MODES))('a stream with junk in its keys, %s', (mode) => {
  it.each(Object.keys(JUNK))('is handled: %s', async (what) => {
    const [bad, good] = [freshName('bad'), freshName('good')];
    const { pattern } = REFUSED_MODES[mode]!;
    if (pattern !== undefined) await redis.client.xadd(bad, '*', 'name', bad, 'body', '0');
    const two = await twoStreams(redis.url, REFUSED_MODES[mode]!, bad, good);
    const { keys, handled, app } = two;
    await two.emit(bad, 1);
    await waitFor(() => handled[bad]?.includes(1));
    const next = `${Date.now() + 3_600_000}-0`;
    await JUNK[what]!(redis.client, keys, next);
    await redis.client.xadd(keys.stream, next, 'name', bad, 'body', '2');
    const isGivenUp = what.startsWith('a huge number') && !mode.startsWith('at most once');
    if (!isGivenUp) await waitFor(() => handled[bad]?.includes(2), { timeoutMs: 10_000 });
    await waitFor(() => isCaughtUp(redis.client, keys.stream, GROUP), { timeoutMs: 10_000 });
    await app.close();
    // Another member finds the same.
    await redis.client.xadd(keys.stream, '*', 'name', bad, 'body', '3');
    const again = await twoStreams(redis.url, REFUSED_MODES[mode]!, bad, good);
    await waitFor(() => again.handled[bad]?.includes(3), { timeoutMs: 10_000 });
    await waitFor(() => isCaughtUp(redis.client, keys.stream, GROUP));
    await again.app.close();
  });
});

describe('a stream with junk in its packed ledger', () => {
  it('is set aside, since nobody knows what was handled', async () => {
    const two = await twoStreams(redis.url, {}, freshName('bad'), freshName('good'));
    const { bad, good, keys, handled, app } = two;
    await two.emit(bad, 1);
    await waitFor(() => handled[bad]?.includes(1));
    await redis.client.hset(keys.packedLedger, 'buckets', 'inf');
    await two.emit(bad, 2);
    await waitFor(() => logged('error', bad).some((line) => line.includes(keys.packedLedger)));
    await two.emit(good, 2);
    await waitFor(() => handled[good]?.includes(2));
    expect(handled[bad]).toEqual([1]);
    await redis.client.del(keys.packedLedger);
    await waitFor(() => handled[bad]?.includes(2));
    await app.close();
  });
});

describe('a stream with partitions and junk in what its members share', () => {
  it('is shared and handled all the same', async () => {
    const stream = freshName('orders');
    const runs = new KeyedRuns();
    const { members, holdings } = memberKeys('', stream, GROUP);
    await redis.client.zadd(members, Date.now() + 60_000, 'junk', Date.now() + 60_000, 'list');
    await redis.client.hset(holdings, 'junk', 'no JSON', 'list', '{"a":["b"]}');
    for (const [n, junk] of ['x', 'inf', HUGE].entries()) {
      await redis.client.hset(ownerKey('', stream, n, GROUP), 'epoch', junk, 'ends-at', 'x');
    }
    const app = await startMember(redis.url, stream, 3, runs);
    // Two members that do nothing count as alive, so one of three partitions is ours.
    const owners = await waitFor(
      async () => {
        const all = await partitionOwners(redis, stream, 3);
        return all.some((owner) => owner === app.server.options.consumer) && all;
      },
      { timeoutMs: 10_000 },
    );
    const mine = owners.findIndex((owner) => owner === app.server.options.consumer);
    const key = keyOfEach(3)[mine]!;
    await app.emit(stream, keyed(key, { key, n: 1 }));
    await waitFor(() => runs.of(key).length === 1);
    await app.close();
  });
});

describe('a key of another type in place of what all streams share', () => {
  it('the record of wildcards is replaced, and streams are found', async () => {
    const [stream, group] = [freshName('orders'), freshName('billing')];
    const got: unknown[] = [];
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '1');
    await redis.client.set(wildcardsKey(group), 'x');
    const { emit } = await streamsApp(
      { connection: redis.url, group, startFrom: 'beginning', discoveryIntervalMs: 100 },
      { controllers: [handlerOf(`${stream}*`, (data) => void got.push(data))] },
    );
    await waitFor(() => got.length === 1);
    await redis.client.lpush(`${wildcardsKey(group)}x`, 'x');
    await redis.client.rename(`${wildcardsKey(group)}x`, wildcardsKey(group));
    await emit(`${stream}-later`, 2);
    await waitFor(() => got.length === 2);
    await waitFor(async () => (await redis.client.type(wildcardsKey(group))) === 'hash');
  });

  it('the list of delayed messages is left alone and named, and messages are published when they are due', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    await redis.client.set(DELAYED_STREAMS_KEY, 'x');
    try {
      const { emit } = await streamsApp(
        { connection: redis.url, group: GROUP },
        { controllers: [handlerOf(stream, (data) => void got.push(data))] },
      );
      const delayed = new RedisStreamsRecordBuilder(1).setDelayMs(10).build();
      expect(await emit(stream, delayed)).toMatchObject({ duplicate: false });
      await waitFor(() => got.length === 1);
      await waitFor(() => logged('warn', `"${DELAYED_STREAMS_KEY}"`).length > 0);
      expect(await redis.client.get(DELAYED_STREAMS_KEY)).toBe('x');
    } finally {
      await redis.client.del(DELAYED_STREAMS_KEY);
    }
  });
});
