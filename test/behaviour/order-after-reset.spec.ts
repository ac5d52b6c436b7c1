import { afterEach, describe, expect, it } from '@jest/globals';

import { commandProxy, type CommandProxy, named } from '../chaos/support/command-proxy.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: its blocked clients are counted.
const redis = redisForTests({ args: [] });
const GROUP = 'billing';

let proxy: CommandProxy | undefined;
closeAppsAfterEach();
afterEach(() => proxy?.close());

const numbers = (from: number, to: number): { n: number }[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ n: from + index }));

describe('a read in addition to the blocked one, whose answer is lost with its connection', () => {
  it('is sent again, and does not overtake what the lost answer contained', async () => {
    proxy = await commandProxy(redis.url);
    const { hostname: host, port } = new URL(proxy.url);
    const quiet = freshName('quiet');
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(0, 99));
    const got: number[] = [];
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const onOrder = (data: unknown): unknown => {
      got.push((data as { n: number }).n);
      return released;
    };
    const from = { startFrom: 'beginning', batchSize: 10 } as const;
    await streamsApp(
      { connection: { host, port: Number(port), protocol: 2 }, group: GROUP },
      {
        controllers: [handlerOf(quiet, () => undefined, from), handlerOf(stream, onOrder, from)],
      },
    );
    await waitFor(() => got.length === 1);
    // It holds as much as it may: the blocked read continues without it.
    await waitFor(async () => (await blockedReads()) === 1);
    const caught = proxy.catchOnce('reply', named('xreadgroup'));
    release();
    (await caught).reset();
    await waitFor(() => got.length >= 100);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual(numbers(0, 99).map(({ n }) => n));
  });
});

async function blockedReads(): Promise<number> {
  const info = await redis.client.info('clients');
  return Number(/^blocked_clients:(\d+)/m.exec(info)?.[1]);
}
