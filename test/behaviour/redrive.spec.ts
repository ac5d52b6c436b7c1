import { describe, expect, it } from '@jest/globals';

import {
  DeadLetters,
  type RedisStreamsContext,
  type RedisStreamsModuleOptions,
  type RedriveProgress,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
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
const LEASE_MS = 1_000;
const QUICK = { type: 'fixed', delayMs: 20, jitter: 0 } as const;
const keyOf = (stream: string, what: string, group = GROUP): string =>
  `stream:{${stream}}:group:${group}:${what}`;
const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

/** What a group has in Redis in addition to the stream: all of it is gone once there is nothing left to do. */
async function leftIn(stream: string, group = GROUP): Promise<Record<string, number>> {
  const { client } = redis;
  return {
    deadLetters: await client.xlen(keyOf(stream, 'dead-letters', group)),
    retries: await client.zcard(keyOf(stream, 'retries', group)),
    leases: await client.hlen(keyOf(stream, 'leases', group)),
    attempts: await client.hlen(keyOf(stream, 'attempts', group)),
  };
}
const NOTHING = { deadLetters: 0, retries: 0, leases: 0, attempts: 0 };
const settled = (stream: string): Promise<void> =>
  waitFor(async () => {
    expect(await leftIn(stream)).toEqual(NOTHING);
    return true;
  }).then(() => undefined);
const inLedger = async (stream: string, messageId: string): Promise<boolean> =>
  (await redis.client.zscore(keyOf(stream, 'processed'), messageId)) !== null;

type Handle = (data: unknown, context: RedisStreamsContext) => unknown;

function member(
  stream: string,
  handle: Handle,
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> {
  return streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      retry: { maxAttempts: 1, backoff: QUICK },
      recovery: { minIdleMs: LEASE_MS, intervalMs: 100 },
      ...options,
    },
    { controllers: [handlerOf(stream, handle)] },
  );
}

/** Makes dead letters of `bodies`, with a member that then goes away. */
async function givenUp(
  stream: string,
  bodies: readonly unknown[],
  options: Partial<RedisStreamsModuleOptions> = {},
  messageId?: string,
): Promise<string[]> {
  const app = await member(
    stream,
    () => {
      throw new Error('not now');
    },
    { concurrency: 50, ...options },
  );
  const ids = await addEntries(redis.client, stream, bodies, messageId);
  const { group = GROUP } = options;
  await waitFor(async () => (await leftIn(stream, group))['deadLetters'] === bodies.length);
  await waitFor(() => isCaughtUp(redis.client, stream, group));
  await app.close();
  return ids;
}

const MODES = [
  { delivery: 'at-least-once', dedup: { windowMs: 60_000 } },
  { delivery: 'at-least-once', dedup: false },
  { delivery: 'at-most-once', dedup: { windowMs: 60_000 } },
  { delivery: 'at-most-once', dedup: false },
] as const;

describe.each(MODES)('a redrive ($delivery, dedup $dedup)', (mode) => {
  it('runs the message again as attempt 1 with its IDs, and removes its dead letter', async () => {
    const stream = freshName('orders');
    const [entryId] = await givenUp(stream, [{ n: 1 }], mode, 'order-1');
    const runs: unknown[] = [];
    const { app, monitor } = await member(
      stream,
      (data, context) => {
        runs.push({
          data,
          entryId: context.getEntryId(),
          messageId: context.getMessageId(),
          attempt: context.getAttempt(),
          publishedAt: context.getPublishedAt().getTime(),
        });
      },
      mode,
    );
    const deadLetters = app.get(DeadLetters);
    const length = await redis.client.xlen(stream);
    expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 1 });
    await waitFor(() => runs.length === 1);
    await settled(stream);
    const publishedAt = Number(entryId?.split('-')[0]);
    expect(runs).toEqual([
      { data: { n: 1 }, entryId, messageId: 'order-1', attempt: 1, publishedAt },
    ]);
    expect(await inLedger(stream, 'order-1')).toBe(mode.dedup !== false);
    expect(await redis.client.xlen(stream)).toBe(length);
    expect(monitor.getStats().counts).toMatchObject({ handled: 1, failed: 0, duplicate: 0 });
  });

  it('that fails again leaves one dead letter, with the original fields and the new error', async () => {
    const stream = freshName('orders');
    const [entryId] = await givenUp(stream, [{ n: 1 }], mode, 'order-1');
    const { app } = await member(
      stream,
      () => {
        throw new RangeError('still not');
      },
      mode,
    );
    const deadLetters = app.get(DeadLetters);
    const [first] = await deadLetters.list({ stream });
    await deadLetters.redrive({ stream, ids: [first?.id ?? ''] });
    const second = await waitFor(async () => {
      const [newest] = await deadLetters.list({ stream });
      return newest?.id !== first?.id && newest;
    });
    await waitFor(async () => {
      expect(await leftIn(stream)).toEqual({ ...NOTHING, deadLetters: 1 });
      return true;
    });
    expect(second).toMatchObject({
      entryId,
      messageId: 'order-1',
      attempts: 1,
      error: { name: 'RangeError', message: 'still not' },
    });
    expect(second.fields).toEqual(first?.fields);
    // And it can be redriven like the first one.
    expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 1 });
    await waitFor(async () => (await deadLetters.list({ stream }))[0]?.id !== second.id);
  });

  it('works when the entry itself has long been trimmed or deleted', async () => {
    const stream = freshName('orders');
    const [, deleted = ''] = await givenUp(stream, numbers(2), mode);
    await redis.client.xdel(stream, deleted);
    await redis.client.xtrim(stream, 'MAXLEN', 0);
    const got: unknown[] = [];
    const { app, monitor } = await member(stream, (data) => void got.push(data), mode);
    await app.get(DeadLetters).redrive({ stream });
    await settled(stream);
    expect(got).toEqual(numbers(2));
    expect(monitor.getStats().counts.lost).toBe(0);
  });

  it('is handled once however many operators request it', async () => {
    const stream = freshName('orders');
    await givenUp(stream, numbers(200), mode);
    const got: string[] = [];
    const keep: Handle = (data) => void got.push(JSON.stringify(data));
    const [one, two] = await Promise.all([
      member(stream, keep, { ...mode, concurrency: 20 }),
      member(stream, keep, { ...mode, concurrency: 20 }),
    ]);
    const operators = [one, two].map(({ app }) => app.get(DeadLetters));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => operators[n % 2]?.redrive({ stream })),
    );
    await settled(stream);
    expect(answers.reduce((sum, answer) => sum + (answer?.redriven ?? 0), 0)).toBe(200);
    expect(got).toHaveLength(200);
    expect(new Set(got).size).toBe(200);
  });
});

describe('the selection of dead letters to redrive', () => {
  it('all, by filter, by ID, or some of them, with progress', async () => {
    const stream = freshName('orders');
    await givenUp(stream, numbers(250));
    const got: number[] = [];
    const { app } = await member(stream, (data) => void got.push((data as { n: number }).n), {
      concurrency: 10,
    });
    const deadLetters = app.get(DeadLetters);
    const newest = (await deadLetters.list({ stream, limit: 1 }))[0]!;
    expect(await deadLetters.redrive({ stream, ids: [newest.id, '1-1'] })).toEqual({
      redriven: 1,
    });
    await waitFor(() => got.length === 1);
    expect(got).toEqual([(newest.payload as { n: number }).n]);
    await waitFor(async () => (await deadLetters.count({ stream })) === 249);

    const progress: RedriveProgress[] = [];
    const odd = ({ payload }: { payload: unknown }): boolean =>
      (payload as { n: number }).n % 2 === 1;
    const limited = { stream, filter: odd, limit: 60, onProgress: progress.push.bind(progress) };
    expect(await deadLetters.redrive(limited)).toEqual({ redriven: 60 });
    await waitFor(() => got.length === 61);
    expect(got.slice(1).every((n) => n % 2 === 1)).toBe(true);
    expect(progress.at(-1)).toMatchObject({ redriven: 60, total: 249 });
    expect(progress.map(({ scanned }) => scanned)).toEqual([100, 200].slice(0, progress.length));
    await waitFor(async () => (await deadLetters.count({ stream })) === 189);

    progress.length = 0;
    const all = { stream, onProgress: (report: RedriveProgress) => void progress.push(report) };
    expect(await deadLetters.redrive(all)).toEqual({ redriven: 189 });
    expect(progress).toEqual([
      { redriven: 100, scanned: 100, total: 189 },
      { redriven: 189, scanned: 189, total: 189 },
    ]);
    await settled(stream);
    expect(new Set(got).size).toBe(250);
    expect(got).toHaveLength(250);
  });

  it('only those that exist at the call: what fails again meanwhile is not redriven forever', async () => {
    const stream = freshName('orders');
    await givenUp(stream, numbers(150));
    let runs = 0;
    const { app } = await member(
      stream,
      () => {
        runs++;
        throw new Error('still not');
      },
      { concurrency: 50 },
    );
    const deadLetters = app.get(DeadLetters);
    // The first page has failed again before the second is read.
    const slowly = async (): Promise<boolean> => {
      if (asked++ === 100) await waitFor(() => runs >= 100);
      return true;
    };
    let asked = 0;
    expect(await deadLetters.redrive({ stream, filter: slowly })).toEqual({ redriven: 150 });
    await waitFor(() => runs === 150);
    await waitFor(async () => {
      expect(await leftIn(stream)).toEqual({ ...NOTHING, deadLetters: 150 });
      return true;
    });
    expect(asked).toBe(150);
  });
});

describe('a redrive', () => {
  it('goes to the group that failed, and to no other', async () => {
    const stream = freshName('orders');
    await givenUp(stream, [{ n: 1 }]);
    const others: unknown[] = [];
    await member(stream, (data) => void others.push(data), { group: 'shipping' });
    await waitFor(() => others.length === 1);
    const got: unknown[] = [];
    const { app } = await member(stream, (data) => void got.push(data));
    await app.get(DeadLetters).redrive({ stream });
    await settled(stream);
    // A second message shows that the other group has handled everything.
    await addEntries(redis.client, stream, [{ n: 2 }]);
    await waitFor(() => others.length === 2 && got.length === 2);
    expect(others).toEqual([{ n: 1 }, { n: 2 }]);
    expect(got).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('waits for a consumer if none runs', async () => {
    const stream = freshName('orders');
    await givenUp(stream, [{ n: 1 }]);
    const deadLetters = new DeadLetters({ connection: redis.url });
    expect(await deadLetters.redrive({ stream, group: GROUP })).toEqual({ redriven: 1 });
    deadLetters.close();
    expect(await leftIn(stream)).toEqual({ ...NOTHING, deadLetters: 1, retries: 1 });
    const got: unknown[] = [];
    await member(stream, (data) => void got.push(data));
    await waitFor(() => got.length === 1);
    await settled(stream);
  });

  it.each([{ windowMs: 60_000 }, false] as const)(
    'is retried by policy like any message, and stays a dead letter meanwhile (dedup %j)',
    async (dedup) => {
      const stream = freshName('orders');
      await givenUp(stream, [{ n: 1 }], { dedup }, 'order-1');
      const attempts: number[] = [];
      const { app } = await member(
        stream,
        (_, context) => {
          attempts.push(context.getAttempt());
          if (attempts.length < 3) throw new Error('not yet');
        },
        { dedup, retry: { maxAttempts: 5, backoff: { ...QUICK, delayMs: 300 } } },
      );
      const deadLetters = app.get(DeadLetters);
      const [letter] = await deadLetters.list({ stream });
      await deadLetters.redrive({ stream });
      const as = `dead-letter:${letter?.id}`;
      await waitFor(async () => (await redis.client.hget(keyOf(stream, 'attempts'), as)) === '1');
      expect(await leftIn(stream)).toEqual({
        deadLetters: 1,
        retries: 1,
        leases: 0,
        attempts: 1,
      });
      // While it waits, a second operator changes nothing.
      expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 0 });
      await settled(stream);
      expect(attempts).toEqual([1, 2, 3]);
      expect(await inLedger(stream, 'order-1')).toBe(dedup !== false);
    },
  );

  it('runs together with new messages, and both are settled', async () => {
    const stream = freshName('orders');
    await givenUp(stream, numbers(100), { dedup: false });
    const got: unknown[] = [];
    const { app } = await member(
      stream,
      (data) => {
        got.push(data);
        if (got.length % 7 === 0) throw new Error('now and then');
      },
      { dedup: false, concurrency: 10, retry: { maxAttempts: 9, backoff: QUICK } },
    );
    const added = addEntries(redis.client, stream, numbers(300));
    await app.get(DeadLetters).redrive({ stream });
    await added;
    await settled(stream);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got.length).toBeGreaterThanOrEqual(400);
  });

  it('whose message has succeeded meanwhile under its ID is dropped without a run', async () => {
    const stream = freshName('orders');
    await givenUp(stream, [{ n: 1 }], {}, 'order-1');
    let runs = 0;
    const { app, monitor } = await member(stream, () => void runs++);
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(runs).toBe(1);
    expect(await app.get(DeadLetters).redrive({ stream })).toEqual({ redriven: 1 });
    await settled(stream);
    expect(runs).toBe(1);
    expect(monitor.getStats().counts).toMatchObject({ handled: 1, duplicate: 1 });
  });

  it('of two dead letters with one message ID runs once with a ledger, and twice concurrently without', async () => {
    for (const dedup of [{ windowMs: 60_000 }, false] as const) {
      const stream = freshName('orders');
      await givenUp(stream, numbers(2), { dedup }, 'order-1');
      let runs = 0;
      const { app } = await member(
        stream,
        // Without a ledger both have to be running before either ends.
        () => {
          runs++;
          return dedup === false ? waitFor(() => runs === 2) : undefined;
        },
        { dedup, concurrency: 2 },
      );
      expect(await app.get(DeadLetters).redrive({ stream })).toEqual({ redriven: 2 });
      await settled(stream);
      expect(runs).toBe(dedup === false ? 2 : 1);
      await app.close();
    }
  });

  it('waits while another entry of its message runs', async () => {
    const stream = freshName('orders');
    await givenUp(stream, [{ n: 1 }], {}, 'order-1');
    let runs = 0;
    let release = (): void => undefined;
    const { app } = await member(
      stream,
      () => {
        runs++;
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
      { concurrency: 2 },
    );
    await addEntries(redis.client, stream, [{ n: 1 }], 'order-1');
    await waitFor(() => runs === 1);
    await app.get(DeadLetters).redrive({ stream });
    const askedAt = Date.now();
    await waitFor(async () => {
      const [, due] = await redis.client.zrange(keyOf(stream, 'retries'), '0', '0', 'WITHSCORES');
      return Number(due) > askedAt + LEASE_MS + 500;
    });
    release();
    await settled(stream);
    expect(runs).toBe(1);
  });

  it('of an unreadable message makes a new dead letter with the original bytes', async () => {
    const stream = freshName('orders');
    const { app } = await member(stream, () => undefined);
    const bytes = Buffer.from([0, 255, 1, 254]);
    const entryId = String(await redis.client.xadd(stream, '*', 'blob', bytes));
    const deadLetters = app.get(DeadLetters);
    const first = await waitFor(async () => (await deadLetters.list({ stream }))[0]);
    await deadLetters.redrive({ stream });
    const second = await waitFor(async () => {
      const [newest] = await deadLetters.list({ stream });
      return newest?.id !== first.id && newest;
    });
    expect(second).toMatchObject({ entryId, attempts: 0 });
    expect(second.fields).toEqual([Buffer.from('blob'), bytes]);
    expect(await leftIn(stream)).toEqual({ ...NOTHING, deadLetters: 1 });
  });

  it('is dropped if the length limit trims its dead letter, or somebody purges it', async () => {
    const stream = freshName('orders');
    const limit = { deadLetter: { maxLength: 10 } };
    await givenUp(stream, [{ n: 1 }]);
    let runs = 0;
    let fail = (): void => undefined;
    const { app } = await member(
      stream,
      () => {
        runs++;
        return new Promise<void>((_, reject) => {
          fail = () => reject(new Error('not now'));
        });
      },
      { ...limit, retry: { maxAttempts: 3, backoff: QUICK } },
    );
    const deadLetters = app.get(DeadLetters);
    await deadLetters.redrive({ stream });
    await waitFor(() => runs === 1);
    await redis.client.xtrim(keyOf(stream, 'dead-letters'), 'MAXLEN', 0);
    fail();
    await settled(stream);
    expect(runs).toBe(1);
    // Another message shows that nothing is stuck.
    await addEntries(redis.client, stream, [{ n: 2 }]);
    await waitFor(() => runs === 2);
    fail();
  });
});

describe.each([{ windowMs: 60_000 }, false] as const)(
  'a consumer that has a redrive (dedup %j)',
  (dedup) => {
    it('keeps it for as long as its handler runs', async () => {
      const stream = freshName('orders');
      await givenUp(stream, [{ n: 1 }], { dedup });
      let runs = 0;
      let release = (): void => undefined;
      const slow = (): Promise<void> => {
        runs++;
        return new Promise((resolve) => {
          release = resolve;
        });
      };
      const { app } = await member(stream, slow, { dedup });
      await member(stream, slow, { dedup });
      await app.get(DeadLetters).redrive({ stream });
      await waitFor(() => runs === 1);
      const startedAt = Date.now();
      await waitFor(() => Date.now() - startedAt > 2.5 * LEASE_MS);
      const [, due] = await redis.client.zrange(keyOf(stream, 'retries'), '0', '0', 'WITHSCORES');
      expect(Number(due)).toBeGreaterThan(startedAt + 2 * LEASE_MS);
      expect(runs).toBe(1);
      release();
      await settled(stream);
      expect(runs).toBe(1);
    });

    it('and dies loses it to another after a lease; the attempt counts', async () => {
      const stream = freshName('orders');
      await givenUp(stream, [{ n: 1 }], { dedup });
      let runs = 0;
      const first = await member(
        stream,
        () => {
          runs++;
          // For Redis, its process dies.
          return new Promise(() => undefined);
        },
        { dedup, shutdown: { drainTimeoutMs: 0 } },
      );
      await first.app.get(DeadLetters).redrive({ stream });
      await waitFor(() => runs === 1);
      await first.close();
      expect(await leftIn(stream)).toMatchObject({ deadLetters: 1, retries: 1, leases: 1 });
      const attempts: number[] = [];
      await member(stream, (_, context) => void attempts.push(context.getAttempt()), {
        dedup,
        retry: { maxAttempts: 5 },
      });
      await waitFor(() => attempts.length === 1);
      await settled(stream);
      expect(attempts).toEqual([2]);
    });

    it('and dies of it each time makes it a dead letter in the end', async () => {
      const stream = freshName('orders');
      const [entryId] = await givenUp(stream, [{ n: 1 }], { dedup });
      let runs = 0;
      const open = (): Promise<StreamsApp> =>
        member(
          stream,
          () => {
            runs++;
            return new Promise(() => undefined);
          },
          { dedup, shutdown: { drainTimeoutMs: 0 }, retry: { maxAttempts: 2 } },
        );
      const operator = new DeadLetters({ connection: redis.url, group: GROUP });
      const [before] = await operator.list({ stream });
      const isAnother = async (): Promise<boolean> =>
        (await operator.list({ stream }))[0]?.id !== before?.id;
      await operator.redrive({ stream });
      while (!(await isAnother())) {
        const soFar = runs;
        const app = await open();
        await waitFor(async () => runs > soFar || (await isAnother()));
        await app.close();
      }
      // More runs than attempts: its neighbours might have killed the process, so one of the runs is not
      // charged.
      expect([2, 3]).toContain(runs);
      expect(await operator.list({ stream })).toMatchObject([
        { entryId, attempts: 2, error: undefined },
      ]);
      operator.close();
      await waitFor(async () => {
        expect(await leftIn(stream)).toEqual({ ...NOTHING, deadLetters: 1 });
        return true;
      });
    });

    it('and closes before it started leaves it to another at once, and no attempt counts', async () => {
      const stream = freshName('orders');
      await givenUp(stream, numbers(3), { dedup });
      let started = 0;
      let release = (): void => undefined;
      const first = await member(
        stream,
        () => {
          started++;
          return new Promise<void>((resolve) => {
            release = resolve;
          });
        },
        { dedup, recovery: { minIdleMs: 60_000 } },
      );
      await first.app.get(DeadLetters).redrive({ stream });
      await waitFor(() => started === 1);
      // What it reads ahead is reserved: two run in turn, one stays.
      await waitFor(async () => (await redis.client.hlen(keyOf(stream, 'leases'))) >= 2);
      const closed = first.close();
      const attempts: number[] = [];
      const other = member(stream, (_, context) => void attempts.push(context.getAttempt()), {
        dedup,
      });
      const taken = other.then(() => waitFor(() => attempts.length === 2));
      expect(await timeWithoutStalls(taken)).toBeLessThan(2_000);
      release();
      await closed;
      await settled(stream);
      expect(attempts).toEqual([1, 1]);
      expect(started).toBe(1);
    });

    it.each(['failure', 'success'])(
      'and hangs for longer than a lease: a late %s does no harm',
      async (late) => {
        const stream = freshName('orders');
        await givenUp(stream, [{ n: 1 }], { dedup });
        const ends: { fail: () => void; succeed: () => void }[] = [];
        const hang = (): Promise<void> =>
          new Promise((resolve, reject) => {
            ends.push({ succeed: resolve, fail: () => reject(new Error('late')) });
          });
        const stalled = await member(stream, hang, { dedup });
        await stalled.app.get(DeadLetters).redrive({ stream });
        await waitFor(() => ends.length === 1);
        // As if its heartbeat had not arrived: the lease ends, and the redrive is due for others.
        const { client } = redis;
        const [leaseId = ''] = await client.hkeys(keyOf(stream, 'leases'));
        const [as = ''] = await client.zrange(keyOf(stream, 'retries'), '0', '0');
        await client
          .multi()
          .hset(keyOf(stream, 'leases'), leaseId, `0123456789abcdef ${as} 1 99999999999999`)
          .zadd(keyOf(stream, 'retries'), Date.now() + 60_000, as)
          .exec();
        if (late === 'success') {
          ends[0]?.succeed();
          // A late success is a success: there is nothing left for the other one to record.
          await settled(stream);
          return;
        }
        ends[0]?.fail();
        // Another message shows that the late failure has been processed.
        await addEntries(client, stream, [{ n: 2 }]);
        await waitFor(() => ends.length === 2);
        expect(await leftIn(stream)).toMatchObject({ deadLetters: 1, retries: 1, attempts: 0 });
        expect(await client.hget(keyOf(stream, 'leases'), leaseId)).toContain('0123456789abcdef');
        ends[1]?.succeed();
      },
    );
  },
);

describe('at-most-once', () => {
  it.each([{ windowMs: 60_000 }, false] as const)(
    'a redrive that does not start because of closing stays a dead letter, and runs in another member (dedup %j)',
    async (dedup) => {
      const stream = freshName('orders');
      const options = { delivery: 'at-most-once', dedup, shutdown: { drainTimeoutMs: 0 } } as const;
      await givenUp(stream, numbers(2), options);
      let runs = 0;
      const { app, close } = await member(
        stream,
        () => {
          runs++;
          return new Promise(() => undefined);
        },
        options,
      );
      await app.get(DeadLetters).redrive({ stream });
      await waitFor(() => runs === 1);
      // A running redrive is no longer a dead letter and needs no lease. One that was read ahead is reserved,
      // and still a dead letter.
      await waitFor(async () => (await leftIn(stream))['leases'] === 1);
      expect(await leftIn(stream)).toMatchObject({ deadLetters: 1, retries: 1 });
      await close();
      expect(runs).toBe(1);
      const got: unknown[] = [];
      await member(stream, (data, context) => void got.push([data, context.getAttempt()]), options);
      await waitFor(() => got.length === 1);
      expect(got).toEqual([[{ n: 1 }, 1]]);
      await waitFor(async () => (await leftIn(stream))['deadLetters'] === 0);
      expect(await leftIn(stream)).toMatchObject({ retries: 0, attempts: 0 });
    },
  );

  it.each([{ windowMs: 60_000 }, false] as const)(
    'the dead letter of a redrive is removed, and its message recorded, when its handler starts (dedup %j)',
    async (dedup) => {
      const stream = freshName('orders');
      const options = { delivery: 'at-most-once', dedup } as const;
      await givenUp(stream, [{ n: 1 }], options, 'order-1');
      const seen: unknown[] = [];
      const { app } = await member(
        stream,
        async () => {
          const { deadLetters, retries } = await leftIn(stream);
          seen.push([deadLetters, retries, await inLedger(stream, 'order-1')]);
        },
        options,
      );
      await app.get(DeadLetters).redrive({ stream });
      await waitFor(() => seen.length === 1);
      await settled(stream);
      expect(seen).toEqual([[0, 0, dedup !== false]]);
    },
  );

  it('an entry with the message ID of a redrive that is read ahead waits for it, and is then a duplicate', async () => {
    const stream = freshName('orders');
    const options = { delivery: 'at-most-once' } as const;
    await givenUp(stream, [{ n: 1 }], options, 'order-1');
    const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
    await deadLetters.redrive({ stream });
    deadLetters.close();
    await addEntries(redis.client, stream, [{ n: 2 }], 'order-1');
    const got: unknown[] = [];
    await member(stream, (data) => void got.push(data), options);
    await settled(stream);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toHaveLength(1);
    expect(await inLedger(stream, 'order-1')).toBe(true);
  });
});
