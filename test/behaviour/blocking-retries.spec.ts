import { describe, expect, it } from '@jest/globals';

import {
  type RedisStreamsContext,
  RetryException,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
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
const inOrder = (delayMs: number, maxAttempts = 5): SubscriptionOptions => ({
  retry: { blocking: true, maxAttempts, backoff: { type: 'fixed', delayMs, jitter: 0 } },
});

interface Numbered {
  readonly n: number;
}

function member(
  stream: string,
  handle: (data: Numbered, context: RedisStreamsContext) => unknown,
  options: SubscriptionOptions,
): Promise<StreamsApp> {
  return streamsApp(
    { connection: redis.url, group: GROUP, recovery: { minIdleMs: 1_000, intervalMs: 200 } },
    { controllers: [handlerOf(stream, handle, options)] },
  );
}

describe.each([{ dedup: undefined }, { dedup: false as const }])(
  'retry.blocking (%j)',
  ({ dedup }) => {
    const dedupOption = dedup === undefined ? {} : { dedup };

    it('no message overtakes one that waits for its next attempt', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      const app = await member(
        stream,
        ({ n }, context) => {
          seen.push(`${n}.${context.getAttempt()}`);
          if (n % 2 === 1 && context.getAttempt() < 3) throw new Error('not yet');
        },
        { ...dedupOption, ...inOrder(30) },
      );
      await addEntries(
        redis.client,
        stream,
        [0, 1, 2, 3].map((n) => ({ n })),
      );
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen).toEqual(['0.1', '1.1', '1.2', '1.3', '2.1', '3.1', '3.2', '3.3']);
      expect(app.monitor.getStats().counts).toMatchObject({ handled: 4, failed: 4, retried: 4 });
      const rows = ['leases', 'retries', 'attempts'].map((what) => keyOf(stream, what));
      expect(await redis.client.exists(...rows)).toBe(0);
    });

    it('the attempt is counted before the wait, and no other member sees the message as due', async () => {
      const stream = freshName('orders');
      let failures = 0;
      const options = { ...dedupOption, ...inOrder(60_000) };
      const fail = (): void => {
        failures++;
        throw new Error('not yet');
      };
      await member(stream, fail, options);
      await member(stream, fail, options);
      const [id = ''] = await addEntries(redis.client, stream, [{ n: 1 }]);
      await waitFor(async () => (await redis.client.hget(keyOf(stream, 'attempts'), id)) === '1');
      expect(await redis.client.exists(keyOf(stream, 'retries'))).toBe(0);
      expect(await pendingEntries(redis.client, stream, GROUP)).toMatchObject([{ id }]);
      // Two leases and several checks for due messages later, it is still its own.
      const until = Date.now() + 2_200;
      await waitFor(() => Date.now() > until);
      expect(failures).toBe(1);
    });

    it('after the last attempt it becomes a dead letter, and the next one runs', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      await member(
        stream,
        ({ n }, context) => {
          seen.push(`${n}.${context.getAttempt()}`);
          if (n === 0) throw new Error('never');
        },
        { ...dedupOption, ...inOrder(20, 2) },
      );
      await addEntries(redis.client, stream, [{ n: 0 }, { n: 1 }]);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen).toEqual(['0.1', '0.2', '1.1']);
      expect(await redis.client.xlen(keyOf(stream, 'dead-letters'))).toBe(1);
    });

    it('closing meanwhile keeps its place, its attempts and the rest of its delay', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      const options = { ...dedupOption, ...inOrder(60_000) };
      const first = await member(
        stream,
        ({ n }) => {
          seen.push(`first ${n}`);
          if (n === 1) throw new Error('not yet');
        },
        options,
      );
      const ids = await addEntries(
        redis.client,
        stream,
        [0, 1, 2].map((n) => ({ n })),
      );
      const failed = ids[1] ?? '';
      await waitFor(async () => redis.client.hget(keyOf(stream, 'attempts'), failed));
      await first.close();
      const due = Number(await redis.client.zscore(keyOf(stream, 'retries'), failed));
      expect(due - Date.now()).toBeLessThanOrEqual(60_000);
      expect(due - Date.now()).toBeGreaterThan(30_000);
      const other = freshName('others');
      const got: unknown[] = [];
      await streamsApp(
        { connection: redis.url, group: GROUP, startFrom: 'beginning' },
        {
          controllers: [
            handlerOf<Numbered>(
              stream,
              ({ n }, context) => void seen.push(`second ${n}.${context.getAttempt()}`),
              options,
            ),
            handlerOf(other, (data) => void got.push(data)),
          ],
        },
      );
      // A message that waits there holds up no other stream; this stream has been checked by then.
      await addEntries(redis.client, other, [{ n: 1 }]);
      await waitFor(() => got.length === 1);
      expect(seen).toEqual(['first 0', 'first 1']);
      expect(await redis.client.zscore(keyOf(stream, 'retries'), failed)).toBe(String(due));
      await redis.client.zadd(keyOf(stream, 'retries'), Date.now(), failed);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen).toEqual(['first 0', 'first 1', 'second 1.2', 'second 2.1']);
    });

    it('a delay continues through several closes, and ends when it would have ended', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      let failedAt = 0;
      let triedAt = 0;
      const options = { ...dedupOption, ...inOrder(1_500) };
      const handle = ({ n }: Numbered, context: RedisStreamsContext): void => {
        seen.push(`${n}.${context.getAttempt()}`);
        if (n !== 0) return;
        if (context.getAttempt() > 1) triedAt = performance.now();
        else {
          failedAt = performance.now();
          throw new Error('not yet');
        }
      };
      const first = await member(stream, handle, options);
      await addEntries(
        redis.client,
        stream,
        [0, 1, 2, 3, 4].map((n) => ({ n })),
      );
      await waitFor(async () => redis.client.exists(keyOf(stream, 'attempts')));
      await first.close();
      for (let times = 0; times < 2; times++) await (await member(stream, handle, options)).close();
      await member(stream, handle, options);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen).toEqual(['0.1', '0.2', '1.1', '2.1', '3.1', '4.1']);
      // Redis counts in whole ms.
      expect(triedAt - failedAt).toBeGreaterThan(1_495);
    });

    it.each([
      ['fails because of that is run first', () => new Error('the database is closed'), '0.1'],
      ['asks for another attempt is run first', () => new RetryException({ delayMs: 700 }), '0.2'],
    ])('a message that runs while its app closes and %s', async (_, error, again) => {
      for (const consumer of [undefined, freshName('billing-0')]) {
        const stream = freshName('orders');
        const seen: string[] = [];
        const named = consumer === undefined ? {} : { consumer };
        const start = (handle: (data: Numbered, context: RedisStreamsContext) => unknown) =>
          streamsApp(
            { connection: redis.url, group: GROUP, startFrom: 'beginning', ...named },
            { controllers: [handlerOf(stream, handle, { ...dedupOption, ...inOrder(20) })] },
          );
        await addEntries(
          redis.client,
          stream,
          [0, 1, 2, 3, 4].map((n) => ({ n })),
        );
        let closing: { readonly closed: Promise<void> } | undefined;
        const first = start(async () => {
          const { close, server } = await first;
          closing = { closed: close() };
          await waitFor(() => server.consumer?.isDraining !== false);
          throw error();
        });
        const { closed } = await waitFor(() => closing);
        await closed;
        await start(({ n }, context) => void seen.push(`${n}.${context.getAttempt()}`));
        await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
        expect(seen).toEqual([again, '1.1', '2.1', '3.1', '4.1']);
        const rows = ['leases', 'retries', 'attempts'].map((what) => keyOf(stream, what));
        expect(await redis.client.exists(...rows)).toBe(0);
      }
    });

    it('members that start together wait no longer than the delay, and run each message once', async () => {
      const stream = freshName('orders');
      const seen: number[] = [];
      const options = { ...dedupOption, ...inOrder(500) };
      const first = await member(
        stream,
        () => {
          throw new Error('not yet');
        },
        options,
      );
      await addEntries(
        redis.client,
        stream,
        Array.from({ length: 50 }, (_, n) => ({ n })),
      );
      await waitFor(async () => redis.client.exists(keyOf(stream, 'attempts')));
      await first.close();
      const handle = ({ n }: Numbered): void => void seen.push(n);
      await Promise.all([1, 2, 3].map(() => member(stream, handle, options)));
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    });
  },
);

it('retry.blocking leaves concurrently running messages alone, and starts nothing before it is done', async () => {
  const stream = freshName('orders');
  const seen: string[] = [];
  let release = (): void => undefined;
  await member(
    stream,
    async ({ n }, context) => {
      seen.push(`${n}.${context.getAttempt()}`);
      if (n === 0) await new Promise<void>((resolve) => (release = resolve));
      if (n === 1 && context.getAttempt() < 3) throw new Error('not yet');
    },
    { ...inOrder(100), concurrency: 3 },
  );
  await addEntries(redis.client, stream, [{ n: 0 }, { n: 1 }]);
  await waitFor(() => seen.includes('1.1'));
  await addEntries(redis.client, stream, [{ n: 2 }]);
  await waitFor(() => seen.includes('2.1'));
  release();
  await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  expect(seen).toEqual(['0.1', '1.1', '1.2', '1.3', '2.1']);
});

describe('retry.blocking, after a process was killed', () => {
  /**
   * What a dead process had read, and how much longer it holds the lease of each message, in ms; none if the
   * lease is over.
   */
  async function leftBy(name: string, stream: string, leasesMs: readonly number[]): Promise<void> {
    const { client } = redis;
    await client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const ids = await addEntries(
      client,
      stream,
      leasesMs.map((_, n) => ({ n })),
    );
    await client.xreadgroup('GROUP', GROUP, name, 'STREAMS', stream, '>');
    for (const [n, leaseMs] of leasesMs.entries()) {
      const id = ids[n] ?? '';
      await client.hset(
        keyOf(stream, 'leases'),
        id,
        `0123456789abcdef ${id} 1 ${Date.now() + leaseMs}`,
      );
      const idleMs = leaseMs > 0 ? 0 : 60_000;
      await client.xclaim(stream, GROUP, name, 0, id, 'IDLE', idleMs, 'JUSTID');
    }
  }

  it.each([
    ['another takes over what it left in its order', 'gone'],
    ['one of its name takes up what it left in its order, before anything new', 'billing-0'],
  ])('%s', async (_, name) => {
    const stream = freshName('orders');
    const dead = `${name}-${stream}`;
    await leftBy(dead, stream, [1_500, 0, 1_000, 0]);
    const seen: number[] = [];
    const isSame = name === 'billing-0';
    if (isSame) await addEntries(redis.client, stream, [{ n: 4 }, { n: 5 }]);
    await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        recovery: { minIdleMs: 1_000, intervalMs: 100 },
        ...(isSame ? { consumer: dead } : {}),
      },
      { controllers: [handlerOf<Numbered>(stream, ({ n }) => void seen.push(n), inOrder(50))] },
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP), { timeoutMs: 10_000 });
    expect(seen).toEqual(isSame ? [0, 1, 2, 3, 4, 5] : [0, 1, 2, 3]);
  });
});
