import { expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

it('each of many streams gets its retries when they are due, and only those', async () => {
  const group = freshName('billing');
  const streams = Array.from({ length: 20 }, () => freshName('orders'));
  const failing = new Set(streams.filter((_, n) => n % 3 === 0));
  const attempts = new Map<string, number[]>();
  const app = await streamsApp(
    {
      connection: redis.url,
      group,
      retry: { backoff: { type: 'fixed', delayMs: 50, jitter: 0 } },
    },
    {
      controllers: streams.map((stream) =>
        handlerOf(stream, (_, context) => {
          const before = attempts.get(stream) ?? [];
          attempts.set(stream, [...before, context.getAttempt()]);
          if (failing.has(stream) && context.getAttempt() < 3) throw new Error('not yet');
        }),
      ),
    },
  );
  // Like a restarted Redis, which has no scripts loaded.
  await redis.client.script('FLUSH');
  await Promise.all(streams.map((stream) => app.emit(stream, { n: 1 })));
  await waitFor(async () => {
    for (const stream of streams) {
      expect(attempts.get(stream)).toEqual(failing.has(stream) ? [1, 2, 3] : [1]);
      expect((await groupState(redis.client, stream, group))?.pending).toBe(0);
    }
    return true;
  });
});

it('each of many streams gets what dead consumers left, and its group if that is gone', async () => {
  const group = freshName('billing');
  const streams = Array.from({ length: 20 }, () => freshName('orders'));
  const handled = new Map<string, unknown[]>(streams.map((stream) => [stream, []]));
  await streamsApp(
    {
      connection: redis.url,
      group,
      startFrom: 'beginning',
      recovery: { intervalMs: 100, minIdleMs: 1_000 },
    },
    {
      controllers: streams.map((stream) =>
        handlerOf(stream, (data) => void handled.get(stream)?.push(data)),
      ),
    },
  );
  const [left, vanished, early, other] = streams as [string, string, string, string];
  const addTo = (stream: string, n: number): Promise<string[]> =>
    addEntries(redis.client, stream, [{ n }]);
  await Promise.all(streams.map((stream) => addTo(stream, 1)));
  await waitFor(() => [...handled.values()].every(({ length }) => length === 1));
  // A consumer that dies takes one; one stream loses its group; in one the group is created too far ahead.
  await redis.client
    .multi()
    .xadd(left, '*', 'name', left, 'body', '{"n":2}')
    .xreadgroup('GROUP', group, 'ghost', 'COUNT', 1, 'STREAMS', left, '>')
    .exec();
  await redis.client.xgroup('DESTROY', vanished, group);
  await addTo(vanished, 2);
  const id = `${Date.now() + 1_000}-0`;
  await redis.client
    .multi()
    .xadd(early, id, 'name', early, 'body', '{"n":2}')
    .xgroup('SETID', early, group, id)
    .set(`stream:{${early}}:group:${group}:made-blindly`, id)
    .exec();
  await addTo(other, 2);
  await waitFor(() =>
    [left, vanished, early, other].every((stream) => handled.get(stream)?.length === 2),
  );
  for (const stream of [left, vanished, early, other]) {
    expect(handled.get(stream)).toEqual([{ n: 1 }, { n: 2 }]);
    await waitFor(() => isCaughtUp(redis.client, stream, group));
  }
});
