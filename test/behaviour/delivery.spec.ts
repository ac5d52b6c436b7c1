import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';

import { RedisStreamsRecordBuilder, RetryException } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));
const caughtUp = (stream: string): Promise<boolean> => isCaughtUp(redis.client, stream, GROUP);
const keyOf = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;

describe('once within the window', () => {
  it('a message ID that is published twice is handled once', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, publishDedup: false },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    const record = new RedisStreamsRecordBuilder({ n: 1 }).setMessageId('order-1').build();
    const first = await app.emit(stream, record);
    expect(first.messageId).toBe('order-1');
    await waitFor(() => caughtUp(stream));
    await app.emit(stream, record);
    await app.emit(stream, { n: 'last' });
    await waitFor(() => got.length >= 2);
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual([{ n: 1 }, { n: 'last' }]);
    expect(await redis.client.zscore(keyOf(stream, 'processed'), 'order-1')).not.toBeNull();
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 2, duplicate: 1 });
  });

  it('two entries of one message ID that are read together are handled once', async () => {
    const stream = freshName('orders');
    let runs = 0;
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }, { n: 3 }], 'order-1');
    await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => void runs++, { startFrom: 'beginning' })] },
    );
    await waitFor(() => caughtUp(stream));
    expect(runs).toBe(1);
    expect(await redis.client.zcard(keyOf(stream, 'processed'))).toBe(1);
  });

  it('the same message ID in two groups is handled once in each', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    for (const group of ['billing', 'shipping']) {
      await streamsApp(
        { connection: redis.url, group },
        {
          controllers: [handlerOf(stream, () => void got.push(group), { startFrom: 'beginning' })],
        },
      );
    }
    await waitFor(() => got.length === 2);
    expect([...got].sort()).toEqual(['billing', 'shipping']);
  });

  it('a message ID is handled again once it has left the window', async () => {
    const stream = freshName('orders');
    let runs = 0;
    await streamsApp(
      { connection: redis.url, group: GROUP, dedup: { windowMs: 50 } },
      { controllers: [handlerOf(stream, () => void runs++)] },
    );
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => runs === 1);
    await waitFor(() => caughtUp(stream));
    // The window is measured by Redis's clock.
    const scoredAt = Number(await redis.client.zscore(keyOf(stream, 'processed'), 'order-1'));
    await waitFor(async () => {
      const [seconds, micros] = await redis.client.time();
      return Number(seconds) * 1000 + Number(micros) / 1000 > scoredAt + 51;
    });
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => runs === 2);
  });

  it('without dedup a message that is published twice is handled twice, and nothing is stored about it', async () => {
    const stream = freshName('orders');
    let runs = 0;
    await streamsApp(
      { connection: redis.url, group: GROUP, dedup: false },
      { controllers: [handlerOf(stream, () => void runs++)] },
    );
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 1 }], 'order-1');
    await waitFor(() => runs === 2);
    await waitFor(() => caughtUp(stream));
    expect(await redis.client.exists(keyOf(stream, 'processed'), keyOf(stream, 'leases'))).toBe(0);
  });
});

describe('at least once', () => {
  it('a message whose handler fails stays pending, is named in the log, and holds up no other', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, retry: { backoff: { delayMs: 60_000 } } },
      {
        controllers: [
          handlerOf<{ n: number }>(stream, (data) => {
            if (data.n === 1) throw new Error('out of stock');
            got.push(data);
          }),
        ],
      },
    );
    const ids = await addEntries(redis.client, stream, numbers(3));
    await waitFor(() => got.length === 2);
    await waitFor(async () => (await groupState(redis.client, stream, GROUP))?.pending === 1);
    const [failed] = await pendingEntries(redis.client, stream, GROUP);
    expect(failed?.id).toBe(ids[1]);
    const [warning, ...more] = logged('warn', String(ids[1]));
    expect(more).toEqual([]);
    expect(warning).toContain(`stream "${stream}", group "${GROUP}", entry ${ids[1]}`);
    expect(warning).toContain('attempt 1');
    expect(warning).toContain('out of stock');
    // It has no ledger entry, and its lease is released: any member may try it next.
    expect(await redis.client.zcard(keyOf(stream, 'processed'))).toBe(2);
    await waitFor(async () => (await redis.client.hlen(keyOf(stream, 'leases'))) === 0);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 2, failed: 1 });
  });

  it('a starting consumer takes its own pending entries, without counting another delivery', async () => {
    const stream = freshName('orders');
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const ids = await addEntries(redis.client, stream, numbers(250));
    await redis.client.xreadgroup('GROUP', GROUP, 'member-1', 'COUNT', 250, 'STREAMS', stream, '>');
    const got: number[] = [];
    const failing = new Set([249]);
    await streamsApp(
      { connection: redis.url, group: GROUP, consumer: 'member-1' },
      {
        controllers: [
          handlerOf<{ n: number }>(stream, ({ n }) => {
            got.push(n);
            if (failing.has(n)) throw new RetryException({ delayMs: 60_000 });
          }),
        ],
      },
    );
    await waitFor(() => got.length === 250);
    expect(got).toEqual(numbers(250).map(({ n }) => n));
    await waitFor(async () => (await groupState(redis.client, stream, GROUP))?.pending === 1);
    expect(await pendingEntries(redis.client, stream, GROUP)).toEqual([
      { id: ids[249], consumer: 'member-1', deliveries: 1 },
    ]);
  });

  it('a consumer that dies before it commits loses nothing: its next run has the message', async () => {
    const stream = freshName('orders');
    const options = {
      connection: redis.url,
      group: GROUP,
      consumer: 'member-1',
      recovery: { minIdleMs: 1000 },
      shutdown: { drainTimeoutMs: 0 },
    };
    let runs = 0;
    const first = await streamsApp(options, {
      controllers: [
        handlerOf(stream, () => {
          runs++;
          // Never ends: for Redis, its process died.
          return new Promise(() => undefined);
        }),
      ],
    });
    await first.emit(stream, { n: 1 });
    await waitFor(() => runs === 1);
    await first.close();
    expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(1);
    expect(await redis.client.hlen(keyOf(stream, 'leases'))).toBe(1);
    const got: unknown[] = [];
    await streamsApp(options, { controllers: [handlerOf(stream, (data) => void got.push(data))] });
    await waitFor(() => got.length === 1);
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual([{ n: 1 }]);
  });

  it('an entry that cannot be decoded is logged with its ID, becomes a dead letter, and holds up no other', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    const bad = [
      ['body', '{}'],
      ['name', stream],
      ['name', stream, 'body', '{"secret": 1'],
      ['name', stream, 'body', '{}', 'headers', '[]'],
    ];
    const ids: string[] = [];
    for (const fields of bad) ids.push(String(await redis.client.xadd(stream, '*', ...fields)));
    await addEntries(redis.client, stream, [{ n: 'good' }]);
    await waitFor(() => got.length === 1);
    await waitFor(() => caughtUp(stream));
    const letters = await redis.client.xrange(keyOf(stream, 'dead-letters'), '-', '+');
    expect(letters.map(([, fields]) => fields[fields.indexOf('dead-letter-entry-id') + 1])).toEqual(
      ids,
    );
    for (const id of ids) expect(logged('error', id)).toHaveLength(1);
    expect(logged('error', 'secret')).toEqual([]);
  });

  it('an entry that was deleted while it was pending is counted as lost, and not handled', async () => {
    const stream = freshName('orders');
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const [id = ''] = await addEntries(redis.client, stream, [{ n: 1 }]);
    await redis.client.xreadgroup('GROUP', GROUP, 'member-1', 'STREAMS', stream, '>');
    await redis.client.xdel(stream, id);
    const got: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, consumer: 'member-1' },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual([]);
    expect(app.monitor.getStats().counts.lost).toBe(1);
    expect(logged('error', id)).toHaveLength(1);
  });
});

describe('at most once', () => {
  it('is recorded and acknowledged before the handler runs, and a failure is not run again', async () => {
    const stream = freshName('orders');
    const seen: unknown[] = [];
    const options = {
      connection: redis.url,
      group: GROUP,
      consumer: 'member-1',
      delivery: 'at-most-once',
    } as const;
    const controllers = [
      handlerOf(stream, async (_, context) => {
        seen.push({
          pending: (await groupState(redis.client, stream, GROUP))?.pending,
          recorded:
            (await redis.client.zscore(keyOf(stream, 'processed'), context.getMessageId())) !==
            null,
        });
        throw new Error('no');
      }),
    ];
    const first = await streamsApp(options, { controllers });
    await first.emit(stream, { n: 1 });
    await waitFor(() => seen.length === 1);
    await first.close();
    const second = await streamsApp(options, { controllers });
    await second.emit(stream, { n: 2 });
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual([
      { pending: 0, recorded: true },
      { pending: 0, recorded: true },
    ]);
  });

  const slowly = (stream: string, got: number[]): Type =>
    handlerOf<{ n: number }>(stream, async ({ n }) => {
      await delay(2);
      got.push(n);
    });

  it('closing puts back what it has acknowledged and not started: another member handles it, each once', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    const options = { connection: redis.url, group: GROUP, delivery: 'at-most-once' } as const;
    const app = await streamsApp(options, { controllers: [slowly(stream, got)] });
    await addEntries(redis.client, stream, numbers(60));
    await waitFor(() => got.length > 20);
    await app.close();
    const before = got.length;
    const state = await groupState(redis.client, stream, GROUP);
    const unread = await redis.client.xrange(stream, `(${state?.lastDeliveredId ?? ''}`, '+');
    expect(state?.pending).toBe(60 - before - unread.length);
    const prefix = `stream:{${stream}}:group:${GROUP}`;
    expect(await redis.client.zcard(`${prefix}:processed`)).toBe(before);
    expect(await redis.client.exists(`${prefix}:leases`)).toBe(0);

    await streamsApp(options, { controllers: [slowly(stream, got)] });
    await waitFor(() => got.length === 60);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(new Set(got).size).toBe(60);
  });

  it('what was put back and then deleted is counted as lost, and not run', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    let release = (): void => undefined;
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, delivery: 'at-most-once' },
      {
        controllers: [
          handlerOf<{ n: number }>(
            stream,
            ({ n }) =>
              new Promise<void>((resolve) => {
                got.push(n);
                release = resolve;
              }),
          ),
        ],
      },
    );
    const ids = await addEntries(redis.client, stream, numbers(2));
    await waitFor(async () => {
      const state = await groupState(redis.client, stream, GROUP);
      return state?.lastDeliveredId === ids[1] && state?.pending === 0;
    });
    await redis.client.xdel(stream, ids[1] ?? '');
    const closed = app.close();
    await waitFor(() => app.monitor.getStats().counts.lost === 1);
    release();
    await closed;
    expect(got).toEqual([0]);
    expect(logged('error', `closed before that (stream "${stream}"`)).toHaveLength(1);
  });

  it.each([
    ['with a ledger', {}],
    ['without one', { dedup: false }],
  ] as const)(
    '%s it runs messages that came back from crashes under at-least-once',
    async (_, dedup) => {
      const stream = freshName('orders');
      const [id = ''] = await addEntries(redis.client, stream, numbers(1));
      await redis.client.xgroup('CREATE', stream, GROUP, '0');
      await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'STREAMS', stream, '>');
      await redis.client.hset(keyOf(stream, 'attempts'), id, '2a');
      await redis.client.zadd(keyOf(stream, 'retries'), 1, id);
      const attempts: number[] = [];
      await streamsApp(
        { connection: redis.url, group: GROUP, delivery: 'at-most-once', ...dedup },
        { controllers: [handlerOf(stream, (__, context) => attempts.push(context.getAttempt()))] },
      );
      await waitFor(() => attempts.length > 0);
      expect(attempts).toEqual([3]);
      expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(0);
    },
  );

  it('without a ledger it runs what it has acknowledged before it closes', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, delivery: 'at-most-once', dedup: false },
      { controllers: [slowly(stream, got)] },
    );
    await addEntries(redis.client, stream, numbers(60));
    await waitFor(() => got.length > 20);
    await app.close();
    const state = await groupState(redis.client, stream, GROUP);
    expect(state?.pending).toBe(0);
    const left = await redis.client.xrange(stream, `(${state?.lastDeliveredId ?? ''}`, '+');
    expect(left).toHaveLength(60 - got.length);
  });
});

describe('order and back-pressure', () => {
  it('with concurrency 1 a consumer handles messages in the order of the stream', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    await addEntries(redis.client, stream, numbers(2_000));
    await streamsApp(
      { connection: redis.url, group: GROUP },
      {
        controllers: [
          handlerOf<{ n: number }>(
            stream,
            async ({ n }) => {
              if (n % 100 === 0) await delay(1);
              got.push(n);
            },
            { startFrom: 'beginning' },
          ),
        ],
      },
    );
    await waitFor(() => got.length === 2_000);
    expect(got).toEqual(numbers(2_000).map(({ n }) => n));
  });

  it('with 10 000 waiting never more run than concurrency, and at most one more batch is held', async () => {
    const stream = freshName('orders');
    let running = 0;
    let most = 0;
    let mostHeld = 0;
    let handled = 0;
    await addEntries(redis.client, stream, numbers(10_000));
    await streamsApp(
      { connection: redis.url, group: GROUP, batchSize: 50, concurrency: 4 },
      {
        controllers: [
          handlerOf(
            stream,
            async () => {
              most = Math.max(most, ++running);
              await new Promise(setImmediate);
              running--;
              handled++;
            },
            { startFrom: 'beginning' },
          ),
        ],
      },
    );
    await waitFor(async () => {
      mostHeld = Math.max(mostHeld, await redis.client.hlen(keyOf(stream, 'leases')));
      return handled === 10_000;
    });
    expect(most).toBe(4);
    // Those whose outcome is being recorded count as well: at most one batch.
    expect(mostHeld).toBeLessThanOrEqual(4 + 50 + 50);
    await waitFor(() => caughtUp(stream));
  });

  it('the highest concurrency handles more waiting messages than one script can take', async () => {
    const stream = freshName('orders');
    let handled = 0;
    for (let part = 0; part < 3; part++) await addEntries(redis.client, stream, numbers(4_000));
    await streamsApp(
      { connection: redis.url, group: GROUP, concurrency: 10_000, batchSize: 1_000 },
      { controllers: [handlerOf(stream, () => void handled++, { startFrom: 'beginning' })] },
    );
    await waitFor(() => caughtUp(stream));
    expect(handled).toBe(12_000);
  });

  it('slow work spreads: three members share 30 messages of 1 s in about 10 s', async () => {
    const stream = freshName('orders');
    const done: string[] = [];
    const members = await Promise.all(
      ['a', 'b', 'c'].map((consumer) =>
        streamsApp(
          { connection: redis.url, group: GROUP, consumer },
          {
            controllers: [
              handlerOf(stream, async () => {
                await delay(1_000);
                done.push(consumer);
              }),
            ],
          },
        ),
      ),
    );
    expect(members).toHaveLength(3);
    await addEntries(redis.client, stream, numbers(30));
    expect(await timeWithoutStalls(waitFor(() => done.length === 30))).toBeLessThan(13_500);
    for (const consumer of ['a', 'b', 'c']) {
      expect(done.filter((each) => each === consumer).length).toBeLessThanOrEqual(13);
    }
  });

  it('a slow stream does not hold up another one of the same server', async () => {
    const slow = freshName('slow');
    const fast = freshName('fast');
    let handled = 0;
    const release: (() => void)[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, blockMs: 60_000 },
      {
        controllers: [
          handlerOf(slow, () => new Promise<void>((resolve) => void release.push(resolve))),
          handlerOf(fast, () => void handled++),
        ],
      },
    );
    await addEntries(redis.client, slow, numbers(10));
    await waitFor(() => release.length === 1);
    await addEntries(redis.client, fast, numbers(1_000));
    await waitFor(() => handled === 1_000);
    // The slow one continues at once when it can, though the read for both was blocked without it.
    for (let n = 1; n <= 10; n++) {
      await waitFor(() => release.length === n);
      release[n - 1]?.();
    }
    await waitFor(() => caughtUp(slow));
    await addEntries(redis.client, slow, [{ n: 'later' }]);
    await waitFor(() => release.length === 11);
    release[10]?.();
  });
});
