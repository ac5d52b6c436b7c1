import { describe, expect, it } from '@jest/globals';

import type { RedisStreamsContext, SubscriptionOptions } from '../../lib/index.js';
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
    const its = dedup === undefined ? {} : { dedup };

    it('nothing passes a message that waits for its next attempt', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      const app = await member(
        stream,
        ({ n }, context) => {
          seen.push(`${n}.${context.getAttempt()}`);
          if (n % 2 === 1 && context.getAttempt() < 3) throw new Error('not yet');
        },
        { ...its, ...inOrder(30) },
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

    it('the attempt is counted before the wait, and the message is due for nobody else', async () => {
      const stream = freshName('orders');
      let failures = 0;
      const options = { ...its, ...inOrder(60_000) };
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
      // Two leases later, and several looks at what is due: still its own.
      const until = Date.now() + 2_200;
      await waitFor(() => Date.now() > until);
      expect(failures).toBe(1);
    });

    it('after the last attempt it becomes a dead letter, and the next one goes on', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      await member(
        stream,
        ({ n }, context) => {
          seen.push(`${n}.${context.getAttempt()}`);
          if (n === 0) throw new Error('never');
        },
        { ...its, ...inOrder(20, 2) },
      );
      await addEntries(redis.client, stream, [{ n: 0 }, { n: 1 }]);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen).toEqual(['0.1', '0.2', '1.1']);
      expect(await redis.client.xlen(keyOf(stream, 'dead-letters'))).toBe(1);
    });

    it('closing meanwhile gives it to the group at once, before what it held up, with its attempts', async () => {
      const stream = freshName('orders');
      const seen: string[] = [];
      const options = { ...its, ...inOrder(60_000) };
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
      await member(
        stream,
        ({ n }, context) => void seen.push(`second ${n}.${context.getAttempt()}`),
        options,
      );
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(seen).toEqual(['first 0', 'first 1', 'second 1.2', 'second 2.1']);
    });
  },
);

it('retry.blocking leaves what runs beside it alone, and begins nothing before it is through', async () => {
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
