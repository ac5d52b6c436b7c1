import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  RedisStreamsRecordBuilder,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { withJobLock } from '../../lib/jobs/job.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { memberKeys, ownerKey, streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { redisNow } from '../support/members.js';
import { movedClock, sayWhySkipped } from '../support/moved-clock.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const clock = await movedClock();
if (typeof clock === 'string') sayWhySkipped('tests that move the clock of Redis', clock);
const withMovedClock = typeof clock === 'string' ? describe.skip : describe;
const setAhead = (ms: number): void => (typeof clock === 'string' ? undefined : clock.set(ms));

const GROUP = 'billing';
const HOUR_MS = 3_600_000;
const LEASE_MS = 1_000;
/** Far below an hour, and enough for a busy machine. */
const SOON = { timeoutMs: 10_000 };
const recovery = { minIdleMs: LEASE_MS, intervalMs: 1_000 };

/** In one step, so that no other member can read it. */
const READ_BY_DEAD = `
local time = redis.call('TIME')
local id = redis.call('XADD', KEYS[1], '*', 'name', KEYS[1], 'body', '{}', 'id', 'order-2')
redis.call('XREADGROUP', 'GROUP', ARGV[1], 'dead', 'STREAMS', KEYS[1], '>')
redis.call('HSET', KEYS[2], 'order-2', string.format('somebody %s 1 %.0f', id, time[1] * 1000 + ARGV[2]))
`;

closeAppsAfterEach();
afterEach(() => setAhead(0));

withMovedClock('a clock of Redis that was an hour ahead for a moment', () => {
  const redis = redisForTests({
    args: [],
    ...(typeof clock === 'string' ? {} : { binary: clock.binary }),
  });
  afterAll(() => (typeof clock === 'string' ? undefined : clock.remove()));
  const keysOf = (stream: string) => streamKeys('', stream, GROUP);

  const member = (
    stream: string,
    attempts: number[],
    work: (attempt: number) => unknown = () => undefined,
    subscription: SubscriptionOptions = {},
  ): Promise<StreamsApp> =>
    streamsApp(
      { connection: redis.url, group: GROUP, startFrom: 'beginning', recovery },
      {
        controllers: [
          handlerOf(
            stream,
            (_, context) => {
              attempts.push(context.getAttempt());
              return work(context.getAttempt());
            },
            subscription,
          ),
        ],
      },
    );
  /** What a member that dies leaves behind: an entry that it has read, and its lease. */
  async function takenByDead(stream: string, leased: boolean): Promise<void> {
    const { leases } = keysOf(stream);
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM').catch(() => undefined);
    const [id] = await addEntries(redis.client, stream, [{}], 'order-1');
    await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'STREAMS', stream, '>');
    if (!leased) return;
    const endsAt = (await redisNow(redis.client)) + LEASE_MS;
    await redis.client.hset(leases, 'order-1', `somebody ${id} 1 ${endsAt}`);
  }

  const MODES: Record<string, SubscriptionOptions> = {
    'at-least-once': {},
    'without a ledger': { dedup: false },
    'at-most-once': { delivery: 'at-most-once' },
    'blocking retries': { retry: { blocking: true } },
  };
  it.each(Object.keys(MODES))(
    'messages of a member that died meanwhile are taken over after a lease, %s',
    async (mode) => {
      const options = MODES[mode] ?? {};
      const stream = freshName('orders');
      setAhead(HOUR_MS);
      const isLeased = options.dedup !== false && options.delivery === undefined;
      await takenByDead(stream, isLeased);
      setAhead(0);
      const attempts: number[] = [];
      await member(stream, attempts, undefined, options);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP), SOON);
      expect(attempts).toEqual([options.delivery === undefined ? 2 : 1]);
    },
  );

  it('a member that runs all the time notices, says so, and takes over what another one left', async () => {
    const stream = freshName('orders');
    const attempts: number[] = [];
    await member(stream, attempts);
    await addEntries(redis.client, stream, [{}]);
    await waitFor(() => attempts.length === 1);
    setAhead(HOUR_MS);
    const moved = (): string[] => logged('warn', 'clock of Redis');
    await waitFor(() => moved().length === 1, SOON);
    // Another member reads while this one is busy.
    await redis.client.eval(READ_BY_DEAD, 2, stream, keysOf(stream).leases, GROUP, LEASE_MS);
    setAhead(0);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP), SOON);
    expect(attempts).toEqual([1, 2]);
    expect(moved()).toEqual([
      expect.stringMatching(/moved forward by 3\d{3}\.\d s/),
      expect.stringMatching(/moved back by 3\d{3}\.\d s/),
    ]);
  });

  it.each(['set by this version', 'set by an earlier version'])(
    'a retry of a second comes after about a second, %s',
    async (by) => {
      const stream = freshName('orders');
      const { retries } = keysOf(stream);
      const attempts: number[] = [];
      const retry = { backoff: { type: 'fixed', delayMs: 1_000, jitter: 0 } } as const;
      setAhead(HOUR_MS);
      await member(
        stream,
        attempts,
        (attempt) => {
          if (attempt === 1) throw new Error('once');
        },
        { retry },
      );
      const [id = ''] = await addEntries(redis.client, stream, [{}]);
      await waitFor(async () => (await redis.client.zcard(retries)) === 1);
      const due = Number(await redis.client.zscore(retries, id));
      if (by === 'set by an earlier version') await redis.client.zadd(retries, Math.ceil(due), id);
      setAhead(0);
      const from = performance.now();
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP), SOON);
      expect(attempts).toEqual([1, 2]);
      expect(performance.now() - from).toBeGreaterThan(900);
    },
  );

  it('a retry that was to wait for longer keeps its time', async () => {
    const stream = freshName('orders');
    const { retries } = keysOf(stream);
    const retry = {
      backoff: { type: 'fixed', delayMs: 600_000, maxDelayMs: 600_000, jitter: 0 },
    } as const;
    const attempts: number[] = [];
    const fails = (): never => {
      throw new Error('once');
    };
    await member(stream, attempts, fails, { retry });
    const [before = ''] = await addEntries(redis.client, stream, [{}]);
    await waitFor(async () => (await redis.client.zcard(retries)) === 1);
    const due = await redis.client.zscore(retries, before);
    setAhead(HOUR_MS);
    await waitFor(() => logged('warn', 'moved forward').length > 0, SOON);
    // It is due by now, and fails again.
    await waitFor(async () => (await redis.client.zscore(retries, before)) !== due, SOON);
    setAhead(0);
    await waitFor(async () => {
      const dueInMs =
        Number(await redis.client.zscore(retries, before)) - (await redisNow(redis.client));
      return dueInMs > 500_000 && dueInMs < 640_000;
    }, SOON);
  });

  it('a redrive that a dead member had taken runs after a lease', async () => {
    const stream = freshName('orders');
    const { deadLetters, leases, retries } = keysOf(stream);
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    setAhead(HOUR_MS);
    const letter = await redis.client.xadd(
      deadLetters,
      '*',
      'name',
      stream,
      'body',
      '{}',
      'id',
      'order-1',
      'dead-letter-entry-id',
      '7-7',
    );
    const list = new DeadLetters({ connection: redis.url, group: GROUP });
    await list.redrive({ stream });
    const row = `dead-letter:${letter}`;
    const asked = Number(await redis.client.zscore(retries, row));
    // It waited for its lease when its member died.
    await redis.client.hset(leases, 'order-1', `somebody ${row} 1 ${Math.ceil(asked) + LEASE_MS}`);
    setAhead(0);
    const attempts: number[] = [];
    await member(stream, attempts);
    await waitFor(async () => (await list.count({ stream })) === 0, SOON);
    expect(attempts.length).toBe(1);
    list.close();
  });

  it('partitions of a member that died meanwhile are taken over', async () => {
    const stream = freshName('orders');
    const place = partitionName(stream, 0);
    setAhead(HOUR_MS);
    const now = await redisNow(redis.client);
    const { members, holdings } = memberKeys('', stream, GROUP);
    await redis.client.zadd(members, now + 5_000, 'dead');
    await redis.client.hset(holdings, 'dead', '[0]');
    const row = { consumer: 'dead', token: 'dead', epoch: now, 'ends-at': now + 6_000 };
    await redis.client.hset(ownerKey('', stream, 0, GROUP), row);
    setAhead(0);
    const attempts: number[] = [];
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        streams: { [stream]: { partitions: 1 } },
      },
      {
        controllers: [handlerOf(stream, (_, context) => void attempts.push(context.getAttempt()))],
      },
    );
    await app.emit(stream, {});
    await waitFor(() => attempts.length === 1, { timeoutMs: 25_000 });
    expect(await redis.client.xlen(place)).toBe(1);
    expect(await redis.client.zscore(members, 'dead')).toBeNull();
  }, 30_000);

  it('a retry in a partition comes in its time', async () => {
    const stream = freshName('orders');
    const attempts: number[] = [];
    setAhead(HOUR_MS);
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        streams: { [stream]: { partitions: 1 } },
      },
      {
        controllers: [
          handlerOf(
            stream,
            (_, context) => {
              attempts.push(context.getAttempt());
              if (attempts.length === 1) throw new Error('once');
            },
            { retry: { backoff: { type: 'fixed', delayMs: 1_000, jitter: 0 } } },
          ),
        ],
      },
    );
    await app.emit(stream, {});
    await waitFor(() => attempts.length === 1);
    const { retries } = keysOf(partitionName(stream, 0));
    await waitFor(async () => (await redis.client.zcard(retries)) === 1);
    setAhead(0);
    await waitFor(() => attempts.length === 2, SOON);
  });

  it('a delayed message is published after its delay', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url });
    setAhead(HOUR_MS);
    const later = new RedisStreamsRecordBuilder({ n: 1 }).setDelayMs(1_000).build();
    await firstValueFrom(client.emit(stream, later));
    setAhead(0);
    await waitFor(async () => (await redis.client.xlen(stream)) === 1, SOON);
    await client.close();
  });

  it('a job whose instance died meanwhile runs again after a minute at most', async () => {
    const key = freshName('job');
    setAhead(HOUR_MS);
    await redis.client.set(key, 'dead', 'PX', 60_000);
    setAhead(0);
    // Valkey may go on with the time of its last round for a moment.
    await waitFor(async () => {
      expect(await withJobLock(redis.client, key, () => Promise.resolve('done'))).toBeUndefined();
      return (await redis.client.pttl(key)) <= 60_000;
    });
  });
});
