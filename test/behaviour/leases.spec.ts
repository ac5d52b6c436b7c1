import { describe, expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const LEASE_MS = 1_000;
const leasesOf = (stream: string): string => `stream:{${stream}}:group:${GROUP}:leases`;
const endOf = async (stream: string, messageId: string): Promise<number> =>
  Number(/\d+$/.exec((await redis.client.hget(leasesOf(stream), messageId)) ?? '')?.[0]);

describe('leases', () => {
  it('are found by hash, not by a search through all of them: each message would cost Redis twice its time', async () => {
    const stream = freshName('orders');
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await streamsApp(
      { connection: redis.url, group: GROUP, concurrency: 1 },
      { controllers: [handlerOf(stream, () => released)] },
    );
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => endOf(stream, 'order-1'));
    expect(await redis.client.object('ENCODING', leasesOf(stream))).toBe('hashtable');
    release();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });

  it('a handler that takes longer than a lease keeps it, and its entry, so that no other consumer runs the message', async () => {
    const stream = freshName('orders');
    let runs = 0;
    let release = (): void => undefined;
    await streamsApp(
      { connection: redis.url, group: GROUP, concurrency: 2, recovery: { minIdleMs: LEASE_MS } },
      {
        controllers: [
          handlerOf(stream, () => {
            runs++;
            return new Promise<void>((resolve) => {
              release = resolve;
            });
          }),
        ],
      },
    );
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => runs === 1);
    const first = await endOf(stream, 'order-1');
    // Well past the original end of the lease.
    await waitFor(async () => (await endOf(stream, 'order-1')) > first + LEASE_MS);
    const [entry] = (await redis.client.xpending(stream, GROUP, '-', '+', 1)) as unknown[][];
    expect(Number(entry?.[2])).toBeLessThan(LEASE_MS);
    expect(entry?.[3]).toBe(1);
    await addEntries(redis.client, stream, [{ n: 2 }], 'order-1');
    await waitFor(async () => (await pendingEntries(redis.client, stream, GROUP)).length === 2);
    await waitFor(async () => (await endOf(stream, 'order-1')) > first + 2 * LEASE_MS);
    expect(runs).toBe(1);
    release();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(runs).toBe(1);
  });

  it('the signal of a handler whose lease another consumer took is aborted, and the handler cannot end that lease', async () => {
    const stream = freshName('orders');
    let reason: unknown;
    let fail = (): void => undefined;
    await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { minIdleMs: LEASE_MS } },
      {
        controllers: [
          handlerOf(stream, (_, context) => {
            const signal = context.getSignal();
            signal.addEventListener('abort', () => {
              reason = signal.reason;
            });
            return new Promise<void>((_resolve, reject) => {
              fail = () => reject(new Error('stopped'));
            });
          }),
        ],
      },
    );
    const [id = ''] = await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => endOf(stream, 'order-1'));
    const anothers = `0123456789abcdef ${id} 1 99999999999999`;
    await redis.client.hset(leasesOf(stream), 'order-1', anothers);
    await waitFor(() => reason !== undefined);
    expect(reason).toMatchObject({ code: 'LEASE_LOST', entryId: id });
    fail();
    // A second message shows that the first one's failure has been processed.
    await addEntries(redis.client, stream, [{ n: 2 }], 'order-2');
    await waitFor(() => endOf(stream, 'order-2'));
    expect(await redis.client.hget(leasesOf(stream), 'order-1')).toBe(anothers);
    fail();
  });

  it('what was read ahead and is now leased by another consumer is left to it', async () => {
    const stream = freshName('orders');
    const runs: unknown[] = [];
    let release = (): void => undefined;
    await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { minIdleMs: LEASE_MS } },
      {
        controllers: [
          handlerOf(stream, (data) => {
            runs.push(data);
            return new Promise<void>((resolve) => {
              release = resolve;
            });
          }),
        ],
      },
    );
    const [id = ''] = await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => runs.length === 1);
    const [ahead = ''] = await addEntries(redis.client, stream, [{ n: 2 }], 'order-2');
    await waitFor(() => endOf(stream, 'order-2'));
    await redis.client.hset(
      leasesOf(stream),
      'order-2',
      `0123456789abcdef ${ahead} 1 99999999999999`,
    );
    // After an answered renewal comes another one: by then the consumer knows.
    for (let renewals = 0; renewals < 2; renewals++) {
      const before = await endOf(stream, 'order-1');
      await waitFor(async () => (await endOf(stream, 'order-1')) > before);
    }
    release();
    await waitFor(async () => (await redis.client.hexists(leasesOf(stream), 'order-1')) === 0);
    await addEntries(redis.client, stream, [{ n: 3 }], 'order-3');
    await waitFor(() => runs.length === 2);
    expect(runs).toEqual([{ n: 1 }, { n: 3 }]);
    expect(
      (await pendingEntries(redis.client, stream, GROUP)).map((entry) => entry.id),
    ).not.toContain(id);
    release();
  });
});
