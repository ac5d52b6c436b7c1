import { describe, expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';

describe('reading ahead', () => {
  it('a handler that did not wait before and then waits holds at most two more batches, in order', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const all = Array.from({ length: 4_000 }, (_, n) => n);
    await addEntries(
      redis.client,
      stream,
      all.map((n) => ({ n })),
    );
    await streamsApp(
      { connection: redis.url, group: GROUP, batchSize: 50 },
      {
        controllers: [
          handlerOf(
            stream,
            (data) => {
              const { n } = data as { n: number };
              got.push(n);
              return n === 2_000 ? released : undefined;
            },
            { startFrom: 'beginning' },
          ),
        ],
      },
    );
    await waitFor(() => got.length === 2_001);
    // Once those before it are settled, pending means held.
    await waitFor(
      async () => (await pendingEntries(redis.client, stream, GROUP)).length <= 1 + 3 * 50,
    );
    expect(got).toHaveLength(2_001);
    release();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual(all);
  });
});
