import { describe, expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
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

const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

/** An app that records what its handlers receive. */
async function collecting(
  stream: string,
  group: string,
  options: Parameters<typeof handlerOf>[2] = {},
): Promise<{ app: StreamsApp; got: unknown[] }> {
  const got: unknown[] = [];
  const app = await streamsApp(
    { connection: redis.url, group },
    { controllers: [handlerOf(stream, (data) => void got.push(data), options)] },
  );
  return { app, got };
}

describe('groups', () => {
  it('two groups each get every message, in order', async () => {
    const stream = freshName('orders');
    const billing = await collecting(stream, 'billing');
    const shipping = await collecting(stream, 'shipping');
    for (const body of numbers(20)) await billing.app.emit(stream, body);
    await waitFor(() => billing.got.length === 20 && shipping.got.length === 20);
    expect(billing.got).toEqual(numbers(20));
    expect(shipping.got).toEqual(numbers(20));
    for (const group of ['billing', 'shipping']) {
      await waitFor(() => isCaughtUp(redis.client, stream, group));
      expect(await redis.client.zcard(`stream:{${stream}}:group:${group}:processed`)).toBe(20);
      expect(await redis.client.hlen(`stream:{${stream}}:group:${group}:leases`)).toBe(0);
    }
  });

  it('the members of one group share its messages: each is handled once', async () => {
    const stream = freshName('orders');
    const members = await Promise.all([1, 2, 3].map(() => collecting(stream, 'billing')));
    await addEntries(redis.client, stream, numbers(600));
    const all = (): unknown[] => members.flatMap(({ got }) => got);
    await waitFor(() => all().length >= 600);
    await waitFor(() => isCaughtUp(redis.client, stream, 'billing'));
    expect(all()).toHaveLength(600);
    expect(new Set(all().map((body) => JSON.stringify(body))).size).toBe(600);
  });

  it('ten instances that start at once create one group', async () => {
    const stream = freshName('orders');
    const members = await Promise.all(
      Array.from({ length: 10 }, () => collecting(stream, 'billing')),
    );
    await members[0]?.app.emit(stream, { n: 1 });
    await waitFor(() => members.flatMap(({ got }) => got).length === 1);
    expect(await redis.client.xinfo('GROUPS', stream)).toHaveLength(1);
  });

  it('a group that starts from the latest gets what comes after it', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 'before' }]);
    const { app, got } = await collecting(stream, 'billing');
    await app.emit(stream, { n: 'after' });
    await waitFor(() => got.length > 0);
    expect(got).toEqual([{ n: 'after' }]);
  });

  it('a group that starts from the beginning gets everything', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(250));
    const { got } = await collecting(stream, 'billing', { startFrom: 'beginning' });
    await waitFor(() => got.length === 250);
    expect(got).toEqual(numbers(250));
  });

  it('a group that starts after an entry ID gets what follows it', async () => {
    const stream = freshName('orders');
    const [first] = await addEntries(redis.client, stream, numbers(3));
    const { got } = await collecting(stream, 'billing', {
      startFrom: first as `${number}-${number}`,
    });
    await waitFor(() => got.length === 2);
    expect(got).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('an existing group continues at its position, whatever startFrom says', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(1));
    await redis.client.xgroup('CREATE', stream, 'billing', '$');
    const { app, got } = await collecting(stream, 'billing', { startFrom: 'beginning' });
    await app.emit(stream, { n: 'new' });
    await waitFor(() => got.length === 1);
    expect(got).toEqual([{ n: 'new' }]);
  });

  it('one server reads many streams on two connections', async () => {
    const streams = Array.from({ length: 30 }, () => freshName('orders'));
    const got: string[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: 'billing', consumer: freshName('member') },
      {
        controllers: streams.map((stream) =>
          handlerOf(stream, (_, context) => void got.push(context.getStream())),
        ),
      },
    );
    await Promise.all(streams.map((stream) => app.emit(stream, {})));
    await waitFor(() => got.length === 30);
    expect([...got].sort()).toEqual([...streams].sort());
    const { consumer } = app.monitor.getStats();
    const clients = String(await redis.client.client('LIST'))
      .split('\n')
      .filter((line) => line.includes(consumer));
    expect(clients).toHaveLength(2);
  });

  it('keyPrefix separates two environments in one Redis', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const controllers = [handlerOf(stream, (data) => void got.push(data))];
    const app = await streamsApp(
      { connection: redis.url, group: 'billing', keyPrefix: 'test:' },
      { controllers },
    );
    await addEntries(redis.client, stream, [{ n: 'other' }]);
    await app.emit(stream, { n: 'mine' });
    await waitFor(() => got.length === 1);
    expect(got).toEqual([{ n: 'mine' }]);
    expect(await redis.client.xlen(`test:${stream}`)).toBe(1);
    await waitFor(
      async () =>
        (await redis.client.zcard(`stream:{test:${stream}}:group:billing:processed`)) === 1,
    );
  });
});
