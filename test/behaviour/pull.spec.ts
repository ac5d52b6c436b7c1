import { describe, expect, it } from '@jest/globals';

import {
  DeadLetters,
  HandlerTimeoutError,
  InvalidOptionsError,
  InvalidStreamNameError,
  LeaseLostError,
  type RedisStreamsPullOptions,
  SettledAlreadyError,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { GROUP, nextOf, pullsForTests } from '../support/pulls.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const pullWith = pullsForTests(redis);
const keys = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;
const ledgerSize = (stream: string): Promise<number> =>
  redis.client.zcard(keys(stream, 'processed'));

type Mode = Partial<RedisStreamsPullOptions>;
const MODES: Record<string, Mode> = {
  'by default': {},
  'at most once': { delivery: 'at-most-once' },
  'without a ledger': { dedup: false },
  'at most once without a ledger': { delivery: 'at-most-once', dedup: false },
  'with blocking retries': { retry: { blocking: true } },
};
const modes = Object.entries(MODES).map(([name, mode]) => ({ name, mode }));
const retriesOf = ({ delivery }: Mode): boolean => delivery !== 'at-most-once';

describe.each(modes)('a loop over a stream, $name', ({ mode }) => {
  it('gets its messages in their order, and acknowledges each when it says so', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    const seen: { n: number; pending: number }[] = [];
    for await (const message of pullWith(mode).from<{ n: number }>(stream)) {
      await message.ack();
      const pending = (await pendingEntries(redis.client, stream, GROUP)).map(({ id }) => id);
      expect(pending).not.toContain(message.getEntryId());
      seen.push({ n: message.payload.n, pending: message.getAttempt() });
      if (message.payload.n === 3) break;
    }
    expect(seen.map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
    expect(await ledgerSize(stream)).toBe(mode.dedup === false ? 0 : 3);
    expect(await redis.client.exists(keys(stream, 'leases'), keys(stream, 'attempts'))).toBe(0);
    // The consumer has left the group.
    expect(await redis.client.xinfo('CONSUMERS', stream, GROUP)).toEqual([]);
  });

  it('has a message again after retry(), and its dead letter after the last attempt', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const pull = pullWith({
      ...mode,
      retry: { ...mode.retry, maxAttempts: 3, backoff: { type: 'fixed', delayMs: 1 } },
    });
    const attempts: number[] = [];
    for await (const message of pull.from(stream, { untilEmpty: true })) {
      attempts.push(message.getAttempt());
      await (attempts.length === 1
        ? message.retry({ delayMs: 5 })
        : message.retry({ error: new TypeError('no price') }));
    }
    expect(attempts).toEqual(retriesOf(mode) ? [1, 2, 3] : [1]);
    const letters = new DeadLetters({ connection: redis.url, group: GROUP });
    const [letter] = await letters.list({ stream });
    await letters.onApplicationShutdown();
    expect(letter).toMatchObject({
      attempts: attempts.length,
      error: { name: retriesOf(mode) ? 'TypeError' : 'RetryException' },
    });
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('makes a dead letter at once with deadLetter()', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
    const seen: unknown[] = [];
    for await (const message of pullWith(mode).from(stream, { untilEmpty: true })) {
      seen.push(message.payload);
      await (seen.length === 1 ? message.deadLetter('negative total') : message.ack());
    }
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
    const letters = await redis.client.xrange(keys(stream, 'dead-letters'), '-', '+');
    expect(letters).toHaveLength(1);
    expect(letters[0]?.[1].join(' ')).toContain('dead-letter-reason negative total');
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('has at most as many unsettled messages as concurrency allows, and gives back what it has if it is left', async () => {
    const stream = freshName('orders');
    const ids = await addEntries(
      redis.client,
      stream,
      Array.from({ length: 20 }, (_, n) => ({ n })),
    );
    const messages = pullWith(mode).from<{ n: number }>(stream, { concurrency: 3 });
    const [first, second, third] = [
      await nextOf(messages),
      await nextOf(messages),
      await nextOf(messages),
    ];
    let fourth: number | undefined;
    const asked = nextOf(messages).then((message) => {
      fourth = message.payload.n;
      return message;
    });
    await waitFor(() => logged('warn', stream).some((line) => line.includes('settled the 3')));
    expect(fourth).toBeUndefined();
    await second.ack();
    await (await asked).ack();
    expect(fourth).toBe(3);
    expect([first, second, third].map(({ payload }) => payload.n)).toEqual([0, 1, 2]);

    expect(await messages.return()).toEqual({ done: true, value: undefined });
    expect(await messages.next()).toEqual({ done: true, value: undefined });
    await expect(first.ack()).rejects.toMatchObject({ code: 'PULL_ENDED', stream });
    const letters = await redis.client.xrange(keys(stream, 'dead-letters'), '-', '+');
    const gaveUp = letters.map(([, fields]) => fields[fields.indexOf('dead-letter-entry-id') + 1]);
    // At most once cannot give back what the loop had, and without a ledger nothing that was read ahead.
    const kept = retriesOf(mode) ? [] : [ids[0], ids[2]];
    const keepsAll = mode.dedup === false && !retriesOf(mode);
    expect(gaveUp.filter((id) => !keepsAll || kept.includes(id)).sort()).toEqual(kept);

    // Everything else is handled by the next loop, as a first attempt, in its order.
    const again: [number, number][] = [];
    for await (const message of pullWith(mode).from<{ n: number }>(stream, { untilEmpty: true })) {
      again.push([message.payload.n, message.getAttempt()]);
      await message.ack();
    }
    const left = ids.flatMap((id, n) => (n === 1 || n === 3 || gaveUp.includes(id) ? [] : n));
    expect(again).toEqual(left.map((n) => [n, 1]));
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });
});

describe('a message that a loop has', () => {
  it('has what a context says, and its payload', async () => {
    const stream = freshName('orders');
    const body = ['name', 'order.created', 'body', '{"n":1}', 'id', 'm-1', 'key', 'cup'];
    const id = await redis.client.xadd(stream, '*', ...body, 'headers', '{"tenant":"eu"}');
    const messages = pullWith().from(stream);
    const message = await nextOf(messages);
    expect(message.payload).toEqual({ n: 1 });
    expect([message.getStream(), message.getName(), message.getEntryId()]).toEqual([
      stream,
      'order.created',
      id,
    ]);
    expect([message.getMessageId(), message.getKey(), message.getGroup()]).toEqual([
      'm-1',
      'cup',
      GROUP,
    ]);
    expect(message.getHeaders()).toEqual({ tenant: 'eu' });
    const [{ consumer } = { consumer: '' }] = await pendingEntries(redis.client, stream, GROUP);
    expect(message.getConsumer()).toBe(consumer);
    await message.ack();
    await messages.return();
  });

  it('can be settled once', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const messages = pullWith().from(stream);
    const message = await nextOf(messages);
    const acked = message.ack();
    await expect(message.retry()).rejects.toThrow(SettledAlreadyError);
    await acked;
    await expect(message.ack()).rejects.toThrow(SettledAlreadyError);
    await messages.return();
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('can still be settled after a retry with a wrong delay', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const messages = pullWith().from(stream);
    const message = await nextOf(messages);
    await expect(message.retry({ delayMs: -1 })).rejects.toThrow(InvalidOptionsError);
    await message.ack();
    await messages.return();
    expect(await ledgerSize(stream)).toBe(1);
  });

  it('is not the loop’s any more after handlerTimeoutMs, which is a failed attempt', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const messages = pullWith({
      handlerTimeoutMs: 50,
      retry: { backoff: { type: 'fixed', delayMs: 1 } },
    }).from(stream);
    const late = await nextOf(messages);
    const again = await nextOf(messages);
    expect(late.getSignal().reason).toBeInstanceOf(HandlerTimeoutError);
    await expect(late.ack()).rejects.toThrow(HandlerTimeoutError);
    expect(again.getAttempt()).toBe(2);
    await again.ack();
    await messages.return();
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('is not the loop’s any more if its lease is lost: ack() rejects, and the other consumer’s run counts', async () => {
    const stream = freshName('orders');
    const [id = ''] = await addEntries(redis.client, stream, [{ n: 1 }]);
    const messages = pullWith({ recovery: { minIdleMs: 1_000 } }).from(stream);
    const message = await nextOf(messages);
    const leases = keys(stream, 'leases');
    const [[field = '', lease = ''] = []] = Object.entries(await redis.client.hgetall(leases));
    const other = lease.replace(/^[^:|, ]+/, 'another');
    expect(other).not.toBe(lease);
    await redis.client.hset(leases, field, other);
    await redis.client.xclaim(stream, GROUP, 'another', 0, id, 'JUSTID');
    await waitFor(() => message.getSignal().aborted);
    await expect(message.ack()).rejects.toThrow(LeaseLostError);
    expect(await ledgerSize(stream)).toBe(0);
    expect(await pendingEntries(redis.client, stream, GROUP)).toMatchObject([
      { id, consumer: 'another' },
    ]);
    await messages.return();
  });

  it('keeps its lease for longer than a lease lasts', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const recovery = { minIdleMs: 1_000, intervalMs: 100 };
    const messages = pullWith({ recovery }).from(stream);
    const message = await nextOf(messages);
    const beside = pullWith({ recovery }).from(stream);
    const other = beside.next();
    const endsAt = async (): Promise<number> => {
      const [lease = ''] = await redis.client.hvals(keys(stream, 'leases'));
      return Number(/\d+$/.exec(lease)?.[0]);
    };
    const first = await endsAt();
    await waitFor(async () => (await endsAt()) > first + 1_000);
    await message.ack();
    expect(await pendingEntries(redis.client, stream, GROUP)).toEqual([]);
    await beside.return();
    expect(await other).toEqual({ done: true, value: undefined });
    await messages.return();
    expect(await ledgerSize(stream)).toBe(1);
  });
});

describe('a loop', () => {
  it('gets a message once that was published twice', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }], 'same');
    await addEntries(redis.client, stream, [{ n: 1 }], 'same');
    await addEntries(redis.client, stream, [{ n: 2 }], 'other');
    const seen: unknown[] = [];
    for await (const message of pullWith().from(stream, { untilEmpty: true })) {
      seen.push(message.getMessageId());
      await message.ack();
    }
    expect(seen).toEqual(['same', 'other']);
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('records what is settled in one turn in one step', async () => {
    const stream = freshName('orders');
    await addEntries(
      redis.client,
      stream,
      Array.from({ length: 50 }, (_, n) => ({ n })),
    );
    const messages = pullWith().from(stream, { concurrency: 50 });
    const all = await Promise.all(Array.from({ length: 50 }, () => nextOf(messages)));
    const before = await scriptsRun();
    await Promise.all(all.map((message) => message.ack()));
    const after = await scriptsRun();
    expect(await ledgerSize(stream)).toBe(50);
    // The loop also looks for due messages meanwhile, which is a script as well.
    expect(after - before).toBeLessThan(10);
    await messages.return();
  });

  const scriptsRun = async (): Promise<number> => {
    const stats = await redis.client.info('commandstats');
    return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  };

  it('with blocking retries has a message again before it has the next one', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
    const seen: unknown[] = [];
    const backoff = { type: 'fixed', delayMs: 20 } as const;
    const options = { untilEmpty: true, retry: { blocking: true, backoff } };
    for await (const message of pullWith().from<{ n: number }>(stream, options)) {
      seen.push([message.payload.n, message.getAttempt()]);
      await (seen.length === 1 ? message.retry() : message.ack());
    }
    expect(seen).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
    ]);
  });

  it('shares its messages with another loop over the same stream', async () => {
    const stream = freshName('orders');
    await addEntries(
      redis.client,
      stream,
      Array.from({ length: 30 }, (_, n) => ({ n })),
    );
    // Also if the consumer has a lasting name.
    const pull = pullWith({ consumer: freshName('worker'), batchSize: 1 });
    const [one, other] = [pull.from<{ n: number }>(stream), pull.from<{ n: number }>(stream)];
    const [first, second] = [await nextOf(one), await nextOf(other)];
    expect(first.getConsumer()).not.toBe(second.getConsumer());
    const seen = [first.payload.n, second.payload.n];
    await Promise.all([first.ack(), second.ack()]);
    const takeAll = async (messages: typeof one): Promise<void> => {
      for await (const message of messages) {
        seen.push(message.payload.n);
        await message.ack();
        if (seen.length === 30) void pull.close();
      }
    };
    await Promise.all([takeAll(one), takeAll(other)]);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('over a wildcard gets the messages of all streams that match, and of later ones', async () => {
    const start = freshName('ev');
    for (const part of ['a', 'b']) await addEntries(redis.client, `${start}.${part}`, [{ part }]);
    const messages = pullWith({ discoveryIntervalMs: 100 }).from(`${start}.*`, { concurrency: 2 });
    const held = [await nextOf(messages), await nextOf(messages)];
    expect(held.map((message) => message.getStream()).sort()).toEqual([`${start}.a`, `${start}.b`]);
    await addEntries(redis.client, `${start}.c`, [{ part: 'c' }]);
    let third: unknown;
    const asked = nextOf(messages).then((message) => (third = message));
    await waitFor(async () => (await pendingEntries(redis.client, `${start}.c`, GROUP)).length > 0);
    // The limit is for all of them together.
    expect(third).toBeUndefined();
    await Promise.all(held.map((message) => message.ack()));
    await (await asked).ack();
    await messages.return();
    for (const part of ['a', 'b', 'c']) expect(await ledgerSize(`${start}.${part}`)).toBe(1);
  });

  it('waits while Redis is away, and goes on', async () => {
    const stream = freshName('orders');
    const proxy = await tcpProxy(redis.url);
    const messages = pullWith({ connection: proxy.url }).from(stream);
    const asked = nextOf(messages);
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
    const first = await asked;
    proxy.freeze();
    const acked = first.ack();
    const second = nextOf(messages);
    proxy.resetAll();
    proxy.thaw();
    await acked;
    await (await second).ack();
    await messages.return();
    await proxy.close();
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
    expect(await ledgerSize(stream)).toBe(2);
  });

  it('is refused options that it does not know, and streams that are none', () => {
    const pull = pullWith();
    // @ts-expect-error: a loop is one handler
    expect(() => pull.from('orders', { handlers: 'in-order' })).toThrow(InvalidOptionsError);
    expect(() => pull.from('orders', { concurrency: 0 })).toThrow(
      expect.objectContaining({ path: 'pull.from().concurrency' }),
    );
    expect(() =>
      pull.from('orders', { delivery: 'at-most-once', retry: { blocking: true } }),
    ).toThrow(InvalidOptionsError);
    expect(() => pull.from('')).toThrow(InvalidStreamNameError);
    expect(() => pull.from('stream:{orders}:group:billing:retries')).toThrow(
      InvalidStreamNameError,
    );
    // @ts-expect-error: no jobs run without the module
    expect(() => pullWith({ maintenance: {} })).toThrow(InvalidOptionsError);
  });
});
