import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import {
  ConnectionClosedError,
  PullEndedError,
  RedisStreamsPull,
  type RedisStreamsPullOptions,
} from '../../lib/index.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { GROUP, nextOf, pullsForTests } from '../support/pulls.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const pullWith = pullsForTests(redis);
let compiled: CompiledPackage;
beforeAll(async () => {
  compiled = await compiledPackage('test/support/programs');
});
afterEach(endChildPrograms);

const keys = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;
const ledgerSize = (stream: string): Promise<number> =>
  redis.client.zcard(keys(stream, 'processed'));
const numbered = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

describe('a loop that is left', () => {
  it('has recorded what it has settled, also what it did not wait for', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbered(10));
    const acks: Promise<void>[] = [];
    for await (const message of pullWith().from<{ n: number }>(stream)) {
      acks.push(message.ack());
      if (message.payload.n === 4) break;
    }
    expect(await ledgerSize(stream)).toBe(5);
    await Promise.all(acks);
  });

  it('by an error gives back what it has, without an attempt, and the error comes out', async () => {
    const stream = freshName('orders');
    const [, second = ''] = await addEntries(redis.client, stream, numbered(2));
    const loop = async (): Promise<void> => {
      for await (const message of pullWith().from<{ n: number }>(stream)) {
        if (message.payload.n === 1) throw new TypeError('no price');
        await message.ack();
      }
    };
    await expect(loop()).rejects.toThrow(TypeError);
    expect(await ledgerSize(stream)).toBe(1);
    expect(await pendingEntries(redis.client, stream, GROUP)).toMatchObject([{ id: second }]);
    expect(await redis.client.exists(keys(stream, 'attempts'), keys(stream, 'leases'))).toBe(0);
    const again = pullWith().from(stream);
    const message = await nextOf(again);
    expect([message.getEntryId(), message.getAttempt()]).toEqual([second, 1]);
    await message.ack();
    await again.return();
  });

  it('at most once without a ledger loses nothing that it had read ahead: it becomes dead letters', async () => {
    const stream = freshName('orders');
    const ids = await addEntries(redis.client, stream, numbered(20));
    const mode = { delivery: 'at-most-once', dedup: false } as const;
    const messages = pullWith(mode).from(stream);
    for (let handled = 0; handled < 3; handled++) await (await nextOf(messages)).ack();
    // All of it is acknowledged, and most of it waits for the loop to ask for it.
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    await messages.return();
    const letters = await redis.client.xrange(keys(stream, 'dead-letters'), '-', '+');
    const entryIds = letters.map(([, row]) => row[row.indexOf('dead-letter-entry-id') + 1]);
    expect(entryIds).toHaveLength(17);
    expect(new Set(entryIds)).toEqual(new Set(ids.slice(3)));
  });

  it('may be left while it waits, and before it has begun', async () => {
    const stream = freshName('orders');
    const waiting = pullWith().from(stream);
    const asked = waiting.next();
    await waitFor(async () => (await redis.client.exists(stream)) === 1);
    expect(await waiting.return()).toEqual({ done: true, value: undefined });
    expect(await asked).toEqual({ done: true, value: undefined });
    const unused = pullWith().from(stream);
    expect(await unused.return()).toEqual({ done: true, value: undefined });
    expect(await unused.next()).toEqual({ done: true, value: undefined });
  });
});

describe('a loop with a signal', () => {
  it('ends without an error when it is aborted, after it has settled what it has', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbered(5));
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const message of pullWith().from<{ n: number }>(stream, { signal: stop.signal })) {
      seen.push(message.payload.n);
      stop.abort();
      await message.ack();
    }
    expect(seen).toEqual([0]);
    expect(await ledgerSize(stream)).toBe(1);
    const left = pullWith().from<{ n: number }>(stream);
    expect((await nextOf(left)).payload.n).toBe(1);
    await left.return();
  });

  it('does not begin if it was aborted before, and ends while it waits', async () => {
    const stream = freshName('orders');
    const never = pullWith().from(stream, { signal: AbortSignal.abort() });
    expect(await never.next()).toEqual({ done: true, value: undefined });
    expect(await redis.client.exists(stream)).toBe(0);
    const stop = new AbortController();
    const asked = pullWith().from(stream, { signal: stop.signal }).next();
    await waitFor(async () => (await redis.client.exists(stream)) === 1);
    stop.abort();
    expect(await asked).toEqual({ done: true, value: undefined });
  });

  it('ends while Redis cannot be reached', async () => {
    const stop = new AbortController();
    const asked = pullWith({ connection: 'redis://127.0.0.1:1' })
      .from('orders', { signal: stop.signal })
      .next();
    setImmediate(() => stop.abort());
    expect(await asked).toEqual({ done: true, value: undefined });
  });
});

describe('close()', () => {
  it('ends all loops once they have settled what they have, and no loop begins after it', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbered(5));
    const pull = pullWith();
    const messages = pull.from<{ n: number }>(stream);
    const message = await nextOf(messages);
    const closed = pull.close();
    await message.ack();
    await closed;
    expect(await ledgerSize(stream)).toBe(1);
    expect(await messages.next()).toEqual({ done: true, value: undefined });
    expect(() => pull.from(stream)).toThrow(PullEndedError);
  });

  it('gives back what is not settled within shutdown.drainTimeoutMs, and ack() then rejects', async () => {
    const stream = freshName('orders');
    const [id = ''] = await addEntries(redis.client, stream, numbered(1));
    const pull = pullWith({ shutdown: { drainTimeoutMs: 50 } });
    const message = await nextOf(pull.from(stream));
    await pull.close();
    expect(message.getSignal().reason).toBeInstanceOf(ConnectionClosedError);
    await expect(message.ack()).rejects.toThrow(ConnectionClosedError);
    expect(await ledgerSize(stream)).toBe(0);
    expect(await pendingEntries(redis.client, stream, GROUP)).toMatchObject([{ id }]);
    const again = pullWith().from(stream);
    expect((await nextOf(again)).getAttempt()).toBe(1);
    await again.return();
  });
});

describe('untilEmpty', () => {
  const modes: [string, Partial<RedisStreamsPullOptions>][] = [
    ['by default', {}],
    ['at most once', { delivery: 'at-most-once' }],
    ['without a ledger', { dedup: false }],
    ['with a concurrency of 8', { concurrency: 8 }],
  ];
  it.each(modes)('ends the loop once all messages are handled, %s', async (_, mode) => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbered(300));
    const seen = new Set<number>();
    for await (const message of pullWith(mode).from<{ n: number }>(stream, { untilEmpty: true })) {
      seen.add(message.payload.n);
      void message.ack();
    }
    expect(seen.size).toBe(300);
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('ends at once if the stream is empty or does not exist', async () => {
    for (const target of [freshName('orders'), freshName('ev.*')]) {
      const messages = pullWith().from(target, { untilEmpty: true });
      expect(await messages.next()).toEqual({ done: true, value: undefined });
    }
  });

  it('waits for what another member has, and handles it if that member gives it back', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbered(1));
    const other = pullWith().from(stream);
    await nextOf(other);
    const messages = pullWith().from<{ n: number }>(stream, { untilEmpty: true });
    const asked = messages.next();
    await waitFor(async () => (await redis.client.zcard(keys(stream, 'members'))) === 2);
    await other.return();
    const { value } = await asked;
    expect(value?.payload).toEqual({ n: 0 });
    await value?.ack();
    expect((await messages.next()).done).toBe(true);
  });

  it('of a stream with partitions ends once all of them are handled', async () => {
    const stream = freshName('orders');
    const pull = pullWith({ streams: { [stream]: { partitions: 3 } } });
    for (const [n, partition] of [0, 1, 2, 0, 1, 2].entries()) {
      await addEntries(redis.client, `{${stream}:${partition}}`, [{ n }]);
    }
    // What a loop that is left gives back goes on to the next one.
    for await (const message of pull.from(stream, { concurrency: 2 })) {
      expect(message.getAttempt()).toBe(1);
      break;
    }
    const seen: [number, number | undefined][] = [];
    const options = { untilEmpty: true, concurrency: 2 };
    for await (const message of pull.from<{ n: number }>(stream, options)) {
      expect(message.getAttempt()).toBe(1);
      seen.push([message.payload.n, message.getPartition()]);
      await message.ack();
    }
    expect(seen.sort(([a], [b]) => a - b)).toEqual([0, 1, 2, 3, 4, 5].map((n) => [n, n % 3]));
    for (const partition of [0, 1, 2]) {
      expect(await isCaughtUp(redis.client, `{${stream}:${partition}}`, GROUP)).toBe(true);
    }
    expect(() => pull.from(`${stream.slice(0, -2)}*`)).toThrow('wildcard');
  });

  it('fails if Redis does not let it see whether the stream is empty', async () => {
    const stream = freshName('orders');
    const user = freshName('user');
    await addEntries(redis.client, stream, numbered(1));
    await redis.client.acl('SETUSER', user, 'on', '>secret', '~*', '+@all', '-xinfo|groups');
    const url = new URL(redis.url);
    Object.assign(url, { username: user, password: 'secret' });
    const pull = new RedisStreamsPull({
      connection: url.href,
      group: GROUP,
      startFrom: 'beginning',
    });
    const messages = pull.from(stream, { untilEmpty: true });
    const loop = async (): Promise<void> => {
      for await (const message of messages) await message.ack();
    };
    await expect(loop()).rejects.toThrow(/xinfo/i);
    expect(await messages.next()).toEqual({ done: true, value: undefined });
    await redis.client.acl('DELUSER', user);
  });
});

describe('kill -9 of a process in a loop', () => {
  const LEASE_MS = 1_000;
  it.each([
    ['by default', { DEDUP: 'on' }],
    ['without a ledger', { DEDUP: 'off' }],
  ])('loses nothing: another loop has its messages after a lease, %s', async (_, env) => {
    const stream = freshName('orders');
    const ids = await addEntries(redis.client, stream, numbered(4));
    const program = childProgram(compiled.program('test/support/programs/pulling.program.ts'), {
      env: {
        REDIS_URL: redis.url,
        STREAM: stream,
        LEASE_MS: String(LEASE_MS),
        SETTLE: '1',
        ...env,
      },
    });
    await waitFor(() => program.output().includes(`has ${ids[1] ?? ''}`));
    program.kill('SIGKILL');
    expect(await program.ended).toBe('SIGKILL');

    const seen: [number, number][] = [];
    const mode = env.DEDUP === 'off' ? ({ dedup: false } as const) : {};
    const recovery = { minIdleMs: LEASE_MS, intervalMs: 100 };
    const pull = pullWith({ ...mode, recovery });
    for await (const message of pull.from<{ n: number }>(stream, { untilEmpty: true })) {
      seen.push([message.payload.n, message.getAttempt()]);
      await message.ack();
    }
    // The interrupted run counts, and what was acknowledged is not handled again.
    expect(seen.map(([n]) => n).sort()).toEqual([1, 2, 3]);
    expect(seen).toContainEqual([1, 2]);
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('at most once loses what it had, and nothing is handled twice', async () => {
    const stream = freshName('orders');
    const ids = await addEntries(redis.client, stream, numbered(4));
    const program = childProgram(compiled.program('test/support/programs/pulling.program.ts'), {
      env: {
        REDIS_URL: redis.url,
        STREAM: stream,
        LEASE_MS: String(LEASE_MS),
        SETTLE: '1',
        AT_MOST_ONCE: 'on',
      },
    });
    await waitFor(() => program.output().includes(`has ${ids[1] ?? ''}`));
    program.kill('SIGKILL');
    await program.ended;
    await addEntries(redis.client, stream, [{ n: 4 }]);
    const seen: number[] = [];
    const pull = pullWith({
      delivery: 'at-most-once',
      recovery: { minIdleMs: LEASE_MS, intervalMs: 100 },
    });
    for await (const message of pull.from<{ n: number }>(stream, { untilEmpty: true })) {
      seen.push(message.payload.n);
      await message.ack();
    }
    expect(seen).not.toContain(0);
    expect(seen).not.toContain(1);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain(4);
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });
});
