import { afterEach, describe, expect, it } from '@jest/globals';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Controller } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  IdleConsumersJob,
  LedgerMaintenanceJob,
  RetentionJob,
  subscription,
} from '../../lib/index.js';
import { type StreamKeys, streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { redisNow } from '../support/members.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: ['--stream-node-max-entries', '10'] });
closeAppsAfterEach();

const GROUP = 'billing';
const keysOf = (stream: string): StreamKeys => streamKeys('', stream, GROUP);
const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

/** With one byte it stays full, whatever is removed. */
async function fill(): Promise<void> {
  await redis.client.config('SET', 'maxmemory', '1');
  await expect(redis.client.set('a', 'b')).rejects.toThrow('OOM');
}
const empty = (): Promise<unknown> => redis.client.config('SET', 'maxmemory', '0');
afterEach(empty);

describe('while Redis is full', () => {
  it('a member that starts drains a hundred waiting messages, and each is in the ledger', async () => {
    const stream = freshName('orders');
    const { stream: key, ledger, position, leases } = keysOf(stream);
    await redis.client.xgroup('CREATE', key, GROUP, '0', 'MKSTREAM');
    const ids = await addEntries(redis.client, key, numbers(100));
    await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 20, 'STREAMS', key, '>');
    await fill();
    const ran: number[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { minIdleMs: 1_000, intervalMs: 1_000 } },
      { controllers: [handlerOf<{ n: number }>(stream, ({ n }) => void ran.push(n))] },
    );
    await waitFor(() => isCaughtUp(redis.client, key, GROUP));
    expect(ran.sort((a, b) => a - b)).toEqual(numbers(100).map(({ n }) => n));
    expect(await redis.client.zcard(ledger)).toBe(100);
    expect(await redis.client.get(position)).toBe(ids.at(-1));
    expect(await redis.client.hlen(leases)).toBe(0);
  });

  it('a handler that outlasts its lease keeps it, and no other member runs the message', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const controller = handlerOf(stream, (_, context) => {
      runs.push(context.getAttempt());
      return held;
    });
    const options = { connection: redis.url, group: GROUP };
    const recovery = { minIdleMs: 1_000, intervalMs: 1_000 };
    for (let n = 0; n < 2; n++)
      await streamsApp({ ...options, recovery }, { controllers: [controller] });
    await addEntries(redis.client, stream, numbers(1), 'order-1');
    await waitFor(() => runs.length > 0);
    await fill();
    const endsAt = async (): Promise<number> =>
      Number(/\d+$/.exec(String(await redis.client.hget(keysOf(stream).leases, 'order-1')))?.[0]);
    const first = await endsAt();
    await waitFor(async () => (await endsAt()) > first + 1_500);
    release();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(runs).toEqual([1]);
  });

  it.each(['at-least-once', 'at-most-once'] as const)(
    'what fails is retried and becomes a dead letter, which can be redriven, %s',
    async (delivery) => {
      const stream = freshName('orders');
      const attempts: number[] = [];
      await streamsApp(
        {
          connection: redis.url,
          group: GROUP,
          startFrom: 'beginning',
          delivery,
          ...(delivery === 'at-least-once' && {
            retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 20 } },
          }),
        },
        {
          controllers: [
            handlerOf(stream, (_, context) => {
              attempts.push(context.getAttempt());
              throw new Error('out of stock');
            }),
          ],
        },
      );
      await addEntries(redis.client, stream, numbers(1));
      await waitFor(() => attempts.length > 0);
      await fill();
      await addEntriesWhenFull(stream);
      const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
      const once = delivery === 'at-most-once' ? [1] : [1, 2];
      await waitFor(async () => (await deadLetters.count({ stream })) === 2);
      expect(attempts.sort()).toEqual([...once, ...once].sort());
      expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
      expect(await deadLetters.redrive({ stream, limit: 1 })).toEqual({ redriven: 1 });
      await waitFor(() => attempts.length === 3 * once.length);
      await waitFor(async () => (await redis.client.zcard(keysOf(stream).retries)) === 0);
      expect(await deadLetters.count({ stream })).toBe(2);
      deadLetters.close();
    },
  );

  it('a group that vanishes is created again, and what it had not handled is handled', async () => {
    const stream = freshName('orders');
    const ran: number[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf<{ n: number }>(stream, ({ n }) => void ran.push(n))] },
    );
    await addEntries(redis.client, stream, [{ n: 1 }]);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    await redis.client
      .multi()
      .xgroup('DESTROY', stream, GROUP)
      .xadd(stream, '*', 'name', stream, 'body', '{"n":2}')
      .config('SET', 'maxmemory', '1')
      .exec();
    await waitFor(() => ran.length === 2);
    expect(ran).toEqual([1, 2]);
  });

  it('a request that waits gets its reply, and a new one is refused with an error that says why', async () => {
    const stream = freshName('prices');
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    @Controller()
    class Prices {
      @MessagePattern(stream, subscription({ concurrency: 2 }))
      async price(@Payload() { n }: { n: number }): Promise<number> {
        running++;
        await held;
        return n * 2;
      }
    }
    const { client } = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [Prices] },
    );
    const replies = [1, 2, 3].map((n) => firstValueFrom(client.send<number>(stream, { n })));
    await waitFor(() => running === 2);
    await fill();
    release();
    expect(await Promise.all(replies)).toEqual([2, 4, 6]);
    // A client that has asked before, and one that has no inbox yet.
    const other = new ClientRedisStreams({ connection: redis.url });
    try {
      for (const asker of [client, other]) {
        await expect(firstValueFrom(asker.send(stream, { n: 4 }))).rejects.toMatchObject({
          code: 'PUBLISH_FAILED',
          ambiguous: false,
          message: expect.stringContaining('OOM'),
        });
      }
    } finally {
      await other.close();
    }
  });

  it('retention, ledger maintenance and the removal of idle consumers work, and free memory', async () => {
    const stream = freshName('orders');
    const { stream: key, ledger, packedLedger } = keysOf(stream);
    const { app } = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        dedup: { windowMs: 60_000 },
        maintenance: { consumerIdleMs: 1_000 },
        blockMs: 500,
        streams: { [stream]: { retention: { maxLength: 10 } } },
      },
      { controllers: [handlerOf(stream, () => undefined, { batchSize: 1_000 })] },
    );
    await addEntries(redis.client, key, numbers(100));
    await waitFor(() => isCaughtUp(redis.client, key, GROUP));
    const old = (await redisNow(redis.client)) - 61_000;
    const recent = old + 41_000;
    const rows = numbers(5_000).flatMap(({ n }) => [n < 50 ? old : recent, `m-${n}`]);
    await redis.client.zadd(ledger, ...rows);
    await redis.client.xgroup('CREATECONSUMER', key, GROUP, 'dead');
    await fill();
    const used = async (): Promise<number> => {
      const each = [key, ledger, packedLedger].map((of) => redis.client.memory('USAGE', of));
      return (await Promise.all(each)).reduce<number>((sum, bytes) => sum + Number(bytes), 0);
    };
    const before = await used();
    expect(await app.get(RetentionJob).run()).toEqual({ removed: 90 });
    expect(await app.get(LedgerMaintenanceJob).run()).toEqual({ removed: 50 });
    await waitFor(async () => (await app.get(IdleConsumersJob).run()).removed === 1);
    expect(await redis.client.xlen(key)).toBe(10);
    expect(await redis.client.zcard(ledger)).toBe(4_000);
    expect(await redis.client.hget(packedLedger, 'entries')).toBe('1050');
    expect(await used()).toBeLessThan(before);
    expect(await redis.client.keys(`*${stream}*:jobs:*`)).toEqual([]);
  });

  it('a member that is killed leaves what it held to another one', async () => {
    const stream = freshName('orders');
    const { leases } = keysOf(stream);
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const [id] = await addEntries(redis.client, stream, numbers(1), 'order-1');
    await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'STREAMS', stream, '>');
    await redis.client.hset(leases, 'order-1', `somebody ${id} 1 ${await redisNow(redis.client)}`);
    await fill();
    const attempts: number[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { minIdleMs: 1_000, intervalMs: 1_000 } },
      {
        controllers: [handlerOf(stream, (_, context) => void attempts.push(context.getAttempt()))],
      },
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(attempts).toEqual([2]);
    expect(await pendingEntries(redis.client, stream, GROUP)).toEqual([]);
  });
});

/** Another program may still write: Redis lets a script go on that has begun to write. */
const addEntriesWhenFull = (stream: string): Promise<unknown> =>
  redis.client.eval(
    `redis.call('XDEL', KEYS[1], '0-0') return redis.call('XADD', KEYS[1], '*', 'name', KEYS[1], 'body', '{}')`,
    1,
    stream,
  );
