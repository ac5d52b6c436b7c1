import { expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { groupState } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

it('of many streams each has its retries when they are due, and only those', async () => {
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
  await Promise.all(streams.map((stream) => app.emit(stream, { n: 1 })));
  await waitFor(
    async () => {
      for (const stream of streams) {
        expect(attempts.get(stream)).toEqual(failing.has(stream) ? [1, 2, 3] : [1]);
        expect((await groupState(redis.client, stream, group))?.pending).toBe(0);
      }
      return true;
    },
    { timeoutMs: 15_000 },
  );
});
