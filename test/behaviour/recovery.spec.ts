import { describe, expect, it } from '@jest/globals';

import type { RedisStreamsContext, RedisStreamsModuleOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
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
const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));
const caughtUp = (stream: string): Promise<boolean> => isCaughtUp(redis.client, stream, GROUP);
const keyOf = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;

/** Lets a consumer read everything, and never come back. */
async function readAndDie(stream: string, consumer: string, count = 1_000): Promise<void> {
  await redis.client.xreadgroup('GROUP', GROUP, consumer, 'COUNT', count, 'STREAMS', stream, '>');
}

function member(
  stream: string,
  handle: (data: unknown, context: RedisStreamsContext) => unknown,
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> {
  return streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      recovery: { minIdleMs: 1_000, intervalMs: 100 },
      ...options,
    },
    { controllers: [handlerOf(stream, handle)] },
  );
}

describe('recovery', () => {
  it('takes over what a dead consumer has read, in pages to the end, once it has been idle long enough', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    await addEntries(redis.client, stream, numbers(450));
    const diedAt = Date.now();
    await readAndDie(stream, 'dead');
    await member(stream, (data) => void got.push(data), { batchSize: 100 });
    await waitFor(() => got.length > 0);
    expect(Date.now() - diedAt).toBeGreaterThanOrEqual(1_000);
    await waitFor(() => caughtUp(stream));
    expect(got).toHaveLength(450);
    expect(new Set(got.map((data) => JSON.stringify(data))).size).toBe(450);
  });

  it('is shared by two members without running anything twice', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    await addEntries(redis.client, stream, numbers(300));
    await readAndDie(stream, 'dead');
    const keep = (data: unknown): void => void got.push(JSON.stringify(data));
    await Promise.all([member(stream, keep), member(stream, keep)]);
    await waitFor(() => caughtUp(stream));
    expect(got).toHaveLength(300);
    expect(new Set(got).size).toBe(300);
  });

  it('without leases, counts no attempt of a running message whose renewal failed for a while', async () => {
    const stream = freshName('orders');
    let end = (): void => undefined;
    const { server } = await member(
      stream,
      () => new Promise<void>((resolve) => void (end = resolve)),
      { dedup: false, startFrom: 'beginning' },
    );
    const since = performance.now();
    const [id = ''] = await addEntries(redis.client, stream, numbers(1));
    await waitFor(() => server.inFlight === 1);
    // An entry that has been idle longer than its consumer has run was left by an earlier one.
    await waitFor(() => performance.now() - since > 1_500);
    const idle = async (): Promise<number> => {
      const [row] = (await redis.client.xpending(stream, GROUP, '-', '+', 1)) as unknown[][];
      return Number(row?.[2]);
    };
    const { consumer } = server.options;
    // Each gives the recovery a chance to meet it, between two renewals.
    for (let seen = 0; seen < 5; seen++) {
      await redis.client.xclaim(stream, GROUP, consumer, 0, id, 'IDLE', 1_100, 'JUSTID');
      await waitFor(async () => (await idle()) < 1_000);
    }
    end();
    await waitFor(() => caughtUp(stream));
    expect(await redis.client.hgetall(keyOf(stream, 'attempts'))).toEqual({});
  });

  it('leaves alone what waits for its retry, and what is leased', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const [waits = '', leased = ''] = await addEntries(redis.client, stream, numbers(3));
    await readAndDie(stream, 'busy');
    const far = Date.now() + 60_000;
    await redis.client.zadd(keyOf(stream, 'retries'), far, waits);
    await redis.client.hset(keyOf(stream, 'leases'), leased, `0123456789abcdef ${leased} 1 ${far}`);
    await member(stream, (data) => void got.push(data));
    await waitFor(() => got.length === 1);
    await waitFor(async () => (await pendingEntries(redis.client, stream, GROUP)).length === 2);
    expect(got).toEqual([{ n: 2 }]);
    const left = await pendingEntries(redis.client, stream, GROUP);
    expect(left.map(({ id, consumer }) => [id, consumer])).toEqual([
      [waits, 'busy'],
      [leased, 'busy'],
    ]);
  });

  it.each([{ dedup: { windowMs: 60_000 } }, { dedup: false as const }])(
    'does not take what a slow handler is still running (%j)',
    async ({ dedup }) => {
      const stream = freshName('orders');
      let runs = 0;
      let release = (): void => undefined;
      const slow = (): Promise<void> => {
        runs++;
        return new Promise((resolve) => {
          release = resolve;
        });
      };
      await member(stream, slow, { consumer: 'a', dedup });
      await addEntries(redis.client, stream, [{ n: 1 }]);
      await waitFor(() => runs === 1);
      await member(stream, slow, { consumer: 'b', dedup });
      // The handler runs for more than twice the idle time after which an entry is taken.
      const startedAt = Date.now();
      await waitFor(() => Date.now() - startedAt > 2_500);
      expect(runs).toBe(1);
      expect(await pendingEntries(redis.client, stream, GROUP)).toMatchObject([{ consumer: 'a' }]);
      release();
      await waitFor(() => caughtUp(stream));
    },
  );

  it('counts and logs as lost what was deleted while it was pending for a dead consumer', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const ids = await addEntries(redis.client, stream, numbers(2));
    await readAndDie(stream, 'dead');
    await redis.client.xdel(stream, ids[0] ?? '');
    const app = await member(stream, (data) => void got.push(data));
    await waitFor(async () => (await pendingEntries(redis.client, stream, GROUP)).length === 0);
    expect(got).toEqual([{ n: 1 }]);
    expect(app.monitor.getStats().counts.lost).toBe(1);
    expect(logged('error', ids[0] ?? '')).toHaveLength(1);
  });

  it('an entry that no codec can read becomes a dead letter of the group, with its original bytes', async () => {
    const stream = freshName('orders');
    const app = await member(stream, () => undefined);
    const bytes = Buffer.from([0, 255, 1, 254]);
    const id = String(await redis.client.xadd(stream, '*', 'blob', bytes, 'name', 'x'));
    await waitFor(() => caughtUp(stream));
    const [letter] = await redis.client.xrangeBuffer(keyOf(stream, 'dead-letters'), '-', '+');
    const fields = letter?.[1] ?? [];
    expect(fields[1]).toEqual(bytes);
    expect(fields.map(String)).toContain(id);
    expect(app.monitor.getStats().counts.deadLettered).toBe(1);
  });

  it('an entry with more fields than a script can take becomes a dead letter with those that fit', async () => {
    const stream = freshName('orders');
    await member(stream, () => undefined);
    const fields = Array.from({ length: 6_000 }, (_, n) => [`field-${n}`, 'x']).flat();
    await redis.client.xadd(stream, '*', ...fields);
    await waitFor(() => caughtUp(stream));
    const [letter] = await redis.client.xrange(keyOf(stream, 'dead-letters'), '-', '+');
    const kept = letter?.[1] ?? [];
    expect(kept[kept.indexOf('dead-letter-fields-left-out') + 1]).toBe('2500');
  });
});
