import { describe, expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';

const redis = redisForTests();
closeAppsAfterEach();

describe('a message that was published twice', () => {
  it('and failed under both of its entries leaves no attempt count once it is handled', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    const runs: number[] = [];
    await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        retry: { backoff: { type: 'fixed', delayMs: 500, jitter: 0 } },
      },
      {
        controllers: [
          handlerOf(stream, (_, context) => {
            runs.push(context.getAttempt());
            if (context.getAttempt() === 1) throw new Error('once');
          }),
        ],
      },
    );
    const keys = `stream:{${stream}}:group:${GROUP}`;
    await waitFor(async () => (await redis.client.zcard(`${keys}:retries`)) === 1);
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(runs).toEqual([1, 1, 2]);
    expect(await redis.client.hgetall(`${keys}:attempts`)).toEqual({});
  });
});
