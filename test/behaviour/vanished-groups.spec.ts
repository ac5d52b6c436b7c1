import { once } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  streamsApp,
  type StreamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const keyOf = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;
const caughtUp = (stream: string): Promise<boolean> => isCaughtUp(redis.client, stream, GROUP);

function member(
  stream: string,
  got: unknown[],
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> {
  return streamsApp(
    { connection: redis.url, group: GROUP, recovery: { intervalMs: 200 }, ...options },
    { controllers: [handlerOf(stream, (data) => void got.push(data))] },
  );
}

describe.each([{ dedup: undefined }, { dedup: false as const }])(
  'a group that vanished (%j)',
  ({ dedup }) => {
    const dedupOption = dedup === undefined ? {} : { dedup };

    it('is created again at its old position, also by a member that has just started', async () => {
      const stream = freshName('orders');
      const got: unknown[] = [];
      const first = await member(stream, got, dedupOption);
      await addEntries(redis.client, stream, [{ n: 1 }]);
      await waitFor(() => caughtUp(stream));
      await first.close();
      await redis.client.xgroup('DESTROY', stream, GROUP);
      await addEntries(redis.client, stream, [{ n: 2 }]);
      await member(stream, got, dedupOption);
      await waitFor(() => caughtUp(stream));
      expect(got).toEqual([{ n: 1 }, { n: 2 }]);
    });

    it('and was created too far ahead by a member that could not know is set back by one that does', async () => {
      const stream = freshName('orders');
      const got: unknown[] = [];
      let release = (): void => undefined;
      // It is busy, and does not notice that the group vanished.
      await streamsApp(
        { connection: redis.url, group: GROUP, recovery: { intervalMs: 200 }, ...dedupOption },
        {
          controllers: [
            handlerOf<{ n: number }>(
              stream,
              async (data) => {
                got.push(data);
                if (data.n === 1) await new Promise<void>((resolve) => (release = resolve));
              },
              { batchSize: 1 },
            ),
          ],
        },
      );
      await addEntries(redis.client, stream, [{ n: 1 }]);
      await waitFor(() => got.length === 1);
      // All of Redis was emptied; others published, and a new member created the group at the end.
      const id = `${Date.now() + 1}-0`;
      await redis.client
        .multi()
        .del(stream, keyOf(stream, 'position'), keyOf(stream, 'made-blindly'))
        .xadd(stream, id, 'name', stream, 'body', '{"n":2}')
        .xgroup('CREATE', stream, GROUP, '$')
        .set(keyOf(stream, 'made-blindly'), id)
        .exec();
      await waitFor(
        async () => (await groupState(redis.client, stream, GROUP))?.lastDeliveredId !== id,
      );
      release();
      await waitFor(() => got.length === 2);
      await waitFor(() => caughtUp(stream));
      expect(got).toEqual([{ n: 1 }, { n: 2 }]);
      expect(logged('warn', `Group "${GROUP}" of stream "${stream}"`)).toHaveLength(1);
    });
  },
);

describe.each<Partial<RedisStreamsModuleOptions>>([
  {},
  { dedup: false },
  { delivery: 'at-most-once' },
  { delivery: 'at-most-once', dedup: false },
])('the position of a group (%j)', (mode) => {
  it('is that of the last settled entry: handled, or a dead letter', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, retry: { maxAttempts: 1 }, ...mode },
      {
        controllers: [
          handlerOf<{ fails?: boolean }>(stream, ({ fails = false }) => {
            if (fails) throw new Error('never');
          }),
        ],
      },
    );
    const position = (): Promise<string | null> => redis.client.get(keyOf(stream, 'position'));
    for (const body of [{}, { fails: true }, {}, { fails: true }]) {
      const [id] = await addEntries(redis.client, stream, [body]);
      await waitFor(() => caughtUp(stream));
      expect(await position()).toBe(id);
    }
    await app.close();
    expect(
      await redis.client.xlen(`stream:{${stream}}:group:${GROUP}:dead-letters`),
    ).toBeGreaterThan(0);
  });
});

describe.each<Partial<RedisStreamsModuleOptions>>([
  {},
  { dedup: false },
  { delivery: 'at-most-once' },
  { delivery: 'at-most-once', dedup: false },
])('a failover that lost the group, its position and the newest entries (%j)', (mode) => {
  it.each([
    ['', false],
    [', after another member has made the group at the end', true],
  ])('runs no history again, and what is published after it is handled%s', async (_, isMade) => {
    const stream = freshName('orders');
    const numbers = (from: number, count: number) =>
      Array.from({ length: count }, (_each, n) => ({ n: from + n }));
    await addEntries(redis.client, stream, numbers(-50, 50));
    const got: { n: number }[] = [];
    await member(stream, got, mode);
    // More than a member remembers one by one.
    const ids = await addEntries(redis.client, stream, numbers(1, 100));
    await waitFor(() => got.length === 100);
    await waitFor(() => caughtUp(stream));
    const last = ids[96] ?? '';
    const failover = redis.client
      .multi()
      .xdel(stream, ...ids.slice(97))
      .call('XSETID', stream, last)
      .xgroup('DESTROY', stream, GROUP)
      .del(keyOf(stream, 'position'), keyOf(stream, 'made-blindly'));
    if (isMade) {
      failover.xgroup('CREATE', stream, GROUP, '$').set(keyOf(stream, 'made-blindly'), last);
    }
    await failover.exec();
    await waitFor(() => groupState(redis.client, stream, GROUP));
    // A member says that it is alive each time it looks after its groups.
    const alive = (): Promise<string[]> =>
      redis.client.zrange(keyOf(stream, 'members'), '0', '-1', 'WITHSCORES');
    for (let look = 0; look < 2; look++) {
      const before = String(await alive());
      await waitFor(async () => String(await alive()) !== before);
    }
    await addEntries(redis.client, stream, numbers(101, 3));
    await waitFor(() => caughtUp(stream));
    await waitFor(() => got.length >= 103);
    await waitFor(() => caughtUp(stream));
    expect(got.map(({ n }) => n)).toEqual(numbers(1, 103).map(({ n }) => n));
  });

  it('of all that the group was given reads the stream from its beginning', async () => {
    const stream = freshName('orders');
    const got: { n: number }[] = [];
    await member(stream, got, mode);
    const ids = await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
    await waitFor(() => got.length === 2);
    await waitFor(() => caughtUp(stream));
    await redis.client
      .multi()
      .del(stream, keyOf(stream, 'position'), keyOf(stream, 'made-blindly'))
      .xadd(stream, '1-1', 'name', stream, 'body', '{"n":3}')
      .exec();
    await waitFor(() => got.length === 3);
    expect(ids).toHaveLength(2);
    expect(got.map(({ n }) => n)).toEqual([1, 2, 3]);
  });
});

it('the position of a group does not pass what is not settled yet', async () => {
  const stream = freshName('orders');
  const [got, gate] = [[] as unknown[], new AbortController()];
  await streamsApp(
    { connection: redis.url, group: GROUP },
    {
      controllers: [
        handlerOf<{ n: number }>(stream, async (data) => {
          got.push(data);
          if (data.n === 2) await once(gate.signal, 'abort');
        }),
      ],
    },
  );
  const ids = await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  await waitFor(() => got.length === 2);
  await waitFor(async () => (await redis.client.get(keyOf(stream, 'position'))) === ids[0]);
  gate.abort();
  await waitFor(() => caughtUp(stream));
  expect(await redis.client.get(keyOf(stream, 'position'))).toBe(ids[2]);
});

it('the position of a group does not include what was delivered together with a duplicate', async () => {
  const stream = freshName('orders');
  const [got, gate] = [[] as unknown[], new AbortController()];
  const add = (id: string): Promise<string | null> =>
    redis.client.xadd(stream, '*', 'id', id, 'name', stream, 'body', '{}');
  const ids = [await add('one'), await add('two'), await add('one'), await add('three')];
  await streamsApp(
    { connection: redis.url, group: GROUP, startFrom: 'beginning' },
    {
      controllers: [
        handlerOf(
          stream,
          async (_, context) => {
            got.push(context.getMessageId());
            if (context.getMessageId() !== 'one') await once(gate.signal, 'abort');
          },
          { concurrency: 4 },
        ),
      ],
    },
  );
  // The second "one" waits for the first, and is found when that is handled.
  await waitFor(async () => (await redis.client.get(keyOf(stream, 'position'))) === ids[2]);
  expect(got).toEqual(['one', 'two', 'three']);
  expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(2);
  gate.abort();
  await waitFor(() => caughtUp(stream));
  expect(await redis.client.get(keyOf(stream, 'position'))).toBe(ids[3]);
});

it('the position of a group includes duplicates, which nobody handles', async () => {
  const stream = freshName('orders');
  const got: unknown[] = [];
  await member(stream, got);
  let last = '';
  for (let n = 1; n <= 3; n++) {
    last = (await redis.client.xadd(stream, '*', 'id', 'one', 'name', stream, 'body', '{}')) ?? '';
    await waitFor(() => caughtUp(stream));
  }
  expect(got).toHaveLength(1);
  expect(await redis.client.get(keyOf(stream, 'position'))).toBe(last);
});

it('a member that starts while a group is at work does not change its position', async () => {
  const stream = freshName('orders');
  const got: unknown[] = [];
  await member(stream, got);
  await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
  await waitFor(() => caughtUp(stream));
  const later: unknown[] = [];
  await member(stream, later);
  await addEntries(redis.client, stream, [{ n: 3 }]);
  await waitFor(() => caughtUp(stream));
  expect([...got, ...later]).toHaveLength(3);
  expect(logged('warn', `of stream "${stream}" had been`)).toEqual([]);
});
