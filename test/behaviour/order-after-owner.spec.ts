import { describe, expect, it } from '@jest/globals';

import { DeadLetters, type SubscriptionOptions } from '../../lib/index.js';
import { partitionName, partitionOf } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, pendingEntries } from '../support/group-state.js';
import { type Keyed, keyedEntries, KeyedRuns, upTo } from '../support/keyed-runs.js';
import { addToPartitions, arePartitionsCaughtUp } from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const PARTITIONS = 2;
const KEYS = 30;
const EACH = 40;

const redis = redisForTests();
closeAppsAfterEach();

function start(stream: string, runs: KeyedRuns, options: SubscriptionOptions): Promise<StreamsApp> {
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

/** Of the partition that has most of the keys. */
function partitionWithMost(stream: string): { name: string; keys: string[] } {
  const keys = Array.from({ length: KEYS }, (_, k) => `k${k}`);
  const [first, second] = [0, 1].map((partition) =>
    keys.filter((key) => partitionOf(key, PARTITIONS) === partition),
  ) as [string[], string[]];
  const partition = first.length >= second.length ? 0 : 1;
  return { name: partitionName(stream, partition), keys: partition === 0 ? first : second };
}

function gate(): { wait: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { wait, open };
}

/** The messages of its keys wait in the group, and none was delivered. */
async function addWaiting(stream: string, name: string): Promise<void> {
  await redis.client.xgroup('CREATE', name, GROUP, '0', 'MKSTREAM');
  await addToPartitions(redis.client, stream, PARTITIONS, keyedEntries(KEYS, EACH));
}

function expectAllInOrder(runs: KeyedRuns): void {
  for (let key = 0; key < KEYS; key++) expect(runs.of(`k${key}`)).toEqual(upTo(EACH));
  expect(runs.handled).toHaveLength(KEYS * EACH);
  expect(runs.together).toEqual([]);
}

/** The consumers of the pending entries, oldest entry first. */
const holdersOf = async (name: string): Promise<string[]> =>
  (await pendingEntries(redis.client, name, GROUP)).map(({ consumer }) => consumer);

/** With each renewal the owner looks for entries that it may claim. */
async function untilRenewed(name: string): Promise<void> {
  const endsAt = (): Promise<string | null> =>
    redis.client.hget(`stream:${name}:group:${GROUP}:owner`, 'ends-at');
  const before = await endsAt();
  await waitFor(async () => (await endsAt()) !== before);
}

const givenToGhost = (name: string, count: number): Promise<unknown> =>
  redis.client.xreadgroup('GROUP', GROUP, 'ghost', 'COUNT', count, 'STREAMS', name, '>');

const caughtUp = (stream: string): Promise<unknown> =>
  waitFor(() => arePartitionsCaughtUp(redis.client, stream, PARTITIONS, GROUP));

const WAYS = [
  ['as it is', {}],
  ['at-most-once', { delivery: 'at-most-once' }],
  ['without a ledger', { dedup: false }],
] as const;

describe.each(WAYS)('the owner of a partition, %s', (_, way) => {
  it.each([
    { batchSize: 100, concurrency: 10 },
    { batchSize: 10, concurrency: 1 },
  ])(
    'handles everything that was delivered to an earlier owner, however much that is ($batchSize at once)',
    async (size) => {
      const stream = freshName('orders');
      const { name } = partitionWithMost(stream);
      await addWaiting(stream, name);
      await givenToGhost(name, 500);
      const runs = new KeyedRuns();
      await start(stream, runs, { ...way, ...size });
      await caughtUp(stream);
      expectAllInOrder(runs);
    },
  );

  it.each([
    { batchSize: 100, concurrency: 10 },
    { batchSize: 100, concurrency: 1 },
  ])(
    'continues with what it has while an earlier owner is given later entries (concurrency $concurrency)',
    async (size) => {
      const stream = freshName('orders');
      const { name } = partitionWithMost(stream);
      const { wait, open } = gate();
      const runs = new KeyedRuns(() => wait);
      await addWaiting(stream, name);
      await start(stream, runs, { ...way, ...size });
      await waitFor(() => runs.started.length === size.concurrency);
      // As the blocked read of a former owner takes entries, after its time.
      let pending = -1;
      await waitFor(async () => {
        const before = pending;
        pending = (await groupState(redis.client, name, GROUP))?.pending ?? 0;
        return pending > 80 && pending === before;
      });
      await givenToGhost(name, 60);
      const holders = await holdersOf(name);
      expect(holders.indexOf('ghost')).toBeGreaterThan(80);
      expect(holders.slice(-60)).toEqual(Array.from({ length: 60 }, () => 'ghost'));
      open();
      await caughtUp(stream);
      expectAllInOrder(runs);
    },
  );

  it('takes over no more than it has capacity for, and the rest as it goes on', async () => {
    const stream = freshName('orders');
    const { name } = partitionWithMost(stream);
    const { wait, open } = gate();
    const runs = new KeyedRuns(() => wait);
    await addWaiting(stream, name);
    await givenToGhost(name, 500);
    await start(stream, runs, { ...way, batchSize: 50, concurrency: 5 });
    await waitFor(() => runs.started.length === 5);
    for (let renewals = 0; renewals < 3; renewals++) await untilRenewed(name);
    const left = (await holdersOf(name)).filter((consumer) => consumer === 'ghost');
    expect(left.length).toBeGreaterThan(300);
    open();
    await caughtUp(stream);
    expectAllInOrder(runs);
  });

  it("loses nothing if redriven messages arrive together with new ones and another member's entries", async () => {
    const stream = freshName('orders');
    const { name, keys } = partitionWithMost(stream);
    const [failing = '', given = '', ...others] = keys;
    let works = false;
    const runs = new KeyedRuns(({ key }) => {
      if (key === failing && !works) throw new Error('not yet');
    });
    const { app } = await start(stream, runs, {
      ...way,
      concurrency: 4,
      // Without leases there is no record of runs, so the ghost's delivery counts as one.
      retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 10, jitter: 0 } },
    });
    const letters = app.get(DeadLetters);
    const bodyOf = (key: string, n: number) => ({ body: { key, n }, key });
    const rounds = 10;
    for (let n = 0; n < rounds; n++) {
      works = false;
      await addToPartitions(redis.client, stream, PARTITIONS, [bodyOf(failing, n)]);
      await waitFor(async () => (await letters.count({ stream: name })) === 1);
      works = true;
      const body = JSON.stringify({ key: given, n });
      await redis.client
        .multi()
        .xadd(name, '*', 'name', stream, 'key', given, 'body', body)
        .xreadgroup('GROUP', GROUP, 'ghost', 'COUNT', 1, 'STREAMS', name, '>')
        .exec();
      await Promise.all([
        letters.redrive({ stream: name }),
        addToPartitions(
          redis.client,
          stream,
          PARTITIONS,
          others.map((key) => bodyOf(key, n)),
        ),
      ]);
      await waitFor(() => runs.of(failing).length === n + 1);
      await waitFor(async () => (await letters.count({ stream: name })) === 0);
    }
    await caughtUp(stream);
    for (const key of keys) expect(runs.of(key)).toEqual(upTo(rounds));
    expect(runs.together).toEqual([]);
  });
});
