import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  type INestApplicationContext,
  Injectable,
  Logger,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { firstValueFrom } from 'rxjs';

import {
  JobFailedError,
  LedgerMaintenanceJob,
  RedisStreamsModule,
  type RedisStreamsModuleOptions,
  RetentionJob,
  type RetentionOptions,
  StreamsMonitor,
} from '../../lib/index.js';
import { withJobLock } from '../../lib/jobs/job.js';
import { startRedis } from '../../lib/testing/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, moduleOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

/** `XTRIM ~` frees whole nodes: with small ones its effect shows sooner. */
const NODE = 10;
const redis = redisForTests({ args: ['--stream-node-max-entries', String(NODE)] });
/** The default has nodes of a hundred entries; some set more, to save memory. */
const large = redisForTests({
  args: ['--stream-node-max-entries', '2000', '--stream-node-max-bytes', '0'],
});
closeAppsAfterEach();

const GROUP = 'billing';
const JOBS = ['redis-streams:consumers', 'redis-streams:ledger', 'redis-streams:retention'];
const ledgerKey = (stream: string): string => `stream:{${stream}}:group:${GROUP}:processed`;
const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

const opened: INestApplicationContext[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

/** An app that contains this package and starts nothing by itself. */
async function idleApp(
  options: Partial<RedisStreamsModuleOptions>,
  metadata: ModuleMetadata = {},
): Promise<INestApplicationContext> {
  const module = RedisStreamsModule.forRoot({ connection: redis.url, group: GROUP, ...options });
  const app = await NestFactory.create(moduleOf([module], metadata), {
    logger: recordedLog,
    abortOnError: false,
  });
  Logger.overrideLogger(recordedLog);
  opened.push(app);
  return app;
}

/** Redis's clock, in ms. */
async function redisNow(): Promise<number> {
  const [seconds, micros] = await redis.client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** Writes `count` ledger entries that were processed `ageMs` ago. */
async function fillLedger(stream: string, count: number, ageMs: number): Promise<void> {
  const at = (await redisNow()) - ageMs;
  const rows = numbers(count).flatMap(({ n }) => [at, `${ageMs}-${n}`]);
  await redis.client.zadd(ledgerKey(stream), ...rows);
}

/** The commands that Redis executes meanwhile, including those of scripts. */
async function commandsDuring(work: () => Promise<unknown>): Promise<string[][]> {
  const seen: string[][] = [];
  const monitor = await redis.connect().monitor();
  monitor.on('monitor', (_: unknown, args: string[]) => seen.push(args));
  await work();
  const marker = freshName('marker');
  await redis.client.echo(marker);
  await waitFor(() => seen.some((args) => args.includes(marker)));
  monitor.disconnect();
  return seen;
}

describe('ledger maintenance', () => {
  const dedup = { windowMs: 60_000 };

  it('removes what has left the window, keeps the rest, and says how many it removed', async () => {
    const stream = freshName('orders');
    const { app } = await streamsApp(
      { connection: redis.url, group: GROUP, dedup },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    await fillLedger(stream, 7, 61_000);
    await fillLedger(stream, 3, 10_000);
    const job = app.get(LedgerMaintenanceJob);
    expect(await job.run()).toEqual({ removed: 7 });
    expect(await redis.client.zcard(ledgerKey(stream))).toBe(3);
    expect(await job.run()).toEqual({ removed: 0 });
  });

  it('handles every subscription with its own window, and none without a ledger', async () => {
    const [short, long, none] = [freshName('short'), freshName('long'), freshName('none')];
    const { app } = await streamsApp(
      { connection: redis.url, group: GROUP, dedup },
      {
        controllers: [
          handlerOf(short, () => undefined, { dedup: { windowMs: 1_000 } }),
          handlerOf(long, () => undefined),
          handlerOf(none, () => undefined, { dedup: false }),
        ],
      },
    );
    for (const stream of [short, long, none]) await fillLedger(stream, 5, 30_000);
    expect(await app.get(LedgerMaintenanceJob).run()).toEqual({ removed: 5 });
    expect(await redis.client.zcard(ledgerKey(short))).toBe(0);
    expect(await redis.client.zcard(ledgerKey(long))).toBe(5);
    expect(await redis.client.zcard(ledgerKey(none))).toBe(5);
  });

  it.each([{}, { dedup: false as const }])(
    'removes the attempts counted for entries that no longer exist, and keeps those of waiting ones (%j)',
    async (options) => {
      const stream = freshName('orders');
      const attempts = `stream:{${stream}}:group:${GROUP}:attempts`;
      const app = await streamsApp(
        {
          connection: redis.url,
          group: GROUP,
          retry: { backoff: { delayMs: 60_000 } },
          ...options,
        },
        {
          controllers: [
            handlerOf(stream, () => {
              throw new Error('not yet');
            }),
          ],
        },
      );
      const [id = ''] = await addEntries(redis.client, stream, [{ n: 1 }]);
      await waitFor(() => redis.client.hget(attempts, id));
      const gone = Object.fromEntries(numbers(1_500).map(({ n }) => [`1-${n + 1}`, '1']));
      await redis.client.hset(attempts, { ...gone, 'dead-letter:1-1': '2' });
      await app.app.get(LedgerMaintenanceJob).run();
      expect(await redis.client.hgetall(attempts)).toEqual({ [id]: '1' });
    },
  );

  it('removes many in steps of at most a thousand, so that Redis serves others in between', async () => {
    const stream = freshName('orders');
    const { app } = await streamsApp(
      { connection: redis.url, group: GROUP, dedup },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    await fillLedger(stream, 2_500, 61_000);
    const commands = await commandsDuring(async () => {
      expect(await app.get(LedgerMaintenanceJob).run()).toEqual({ removed: 2_500 });
    });
    const removals = commands.filter(([name]) => name?.toLowerCase() === 'zremrangebyrank');
    expect(removals.map(([, , first, last]) => Number(last) - Number(first) + 1)).toEqual([
      1_000, 1_000, 500,
    ]);
  });

  it('runs by itself at its interval, without a ScheduleModule in the app', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, dedup, maintenance: { ledgerIntervalMs: 1_000 } },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    expect(app.monitor.getStats()).toMatchObject({
      maintenanceScheduled: true,
      lastLedgerMaintenanceAt: undefined,
    });
    await fillLedger(stream, 4, 61_000);
    await waitFor(async () => (await redis.client.zcard(ledgerKey(stream))) === 0);
    await waitFor(() => app.monitor.getStats().lastLedgerMaintenanceAt);
    await fillLedger(stream, 4, 62_000);
    await waitFor(async () => (await redis.client.zcard(ledgerKey(stream))) === 0);
    await waitFor(() => logged('debug', '"redis-streams:ledger" removed 4').length >= 2);
  });
});

describe('retention', () => {
  /** The job of an app with this `retention` for `stream`. */
  async function jobFor(stream: string, retention: RetentionOptions): Promise<RetentionJob> {
    return (await idleApp({ streams: { [stream]: { retention } } })).get(RetentionJob);
  }

  /** A group that was given the first `read` entries, and has finished all of them except those in `unfinished`. */
  async function group(
    stream: string,
    name: string,
    { read, unfinished = [] }: { read: number; unfinished?: readonly number[] },
  ): Promise<void> {
    await redis.client.xgroup('CREATE', stream, name, '0');
    if (read === 0) return;
    await redis.client.xreadgroup('GROUP', name, 'one', 'COUNT', read, 'STREAMS', stream, '>');
    const ids = (await redis.client.xrange(stream, '-', '+', 'COUNT', read)).map(([id]) => id);
    const done = ids.filter((_, n) => !unfinished.includes(n));
    if (done.length > 0) await redis.client.xack(stream, name, ...done);
  }

  /** The number in the oldest remaining entry. */
  async function oldest(stream: string): Promise<number> {
    const [first] = await redis.client.xrange(stream, '-', '+', 'COUNT', 1);
    const body: { n: number } = JSON.parse(first?.[1][3] ?? '{"n":-1}');
    return body.n;
  }

  it('by length keeps about as many entries, and never fewer', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(105));
    await group(stream, 'shipping', { read: 105 });
    const job = await jobFor(stream, { maxLength: 33 });
    const { removed } = await job.run();
    const left = await redis.client.xlen(stream);
    expect(removed).toBe(105 - left);
    expect(left).toBeGreaterThanOrEqual(33);
    expect(left).toBeLessThan(33 + NODE);
    expect(await job.run()).toEqual({ removed: 0 });
  });

  it("by age uses Redis's clock", async () => {
    const stream = freshName('orders');
    const now = await redisNow();
    for (const [ageMs, count] of [
      [120_000, 4 * NODE],
      [30_000, 2 * NODE],
    ] as const) {
      for (let n = 0; n < count; n++) {
        await redis.client.xadd(stream, `${now - ageMs}-${n}`, 'name', stream, 'body', '{}');
      }
    }
    const job = await jobFor(stream, { maxAgeMs: 60_000 });
    expect(await job.run()).toEqual({ removed: 4 * NODE });
    expect(await redis.client.xlen(stream)).toBe(2 * NODE);
  });

  it('with both limits removes what exceeds either of them', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    const job = await jobFor(stream, { maxAgeMs: 3_600_000, maxLength: 50 });
    expect(await job.run()).toEqual({ removed: 50 });
  });

  it('removes thousands in one run, at most a thousand in one step', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(4_500));
    const job = await jobFor(stream, { maxLength: 500 });
    const commands = await commandsDuring(async () => {
      expect(await job.run()).toEqual({ removed: 4_000 });
    });
    const trims = commands.filter(([name]) => name?.toLowerCase() === 'xtrim');
    expect(trims.length).toBeGreaterThanOrEqual(4);
    // Never exactly: Redis itself limits how much it frees at once.
    expect(trims.every((args) => args.includes('~'))).toBe(true);
  });

  it('by length removes entries one by one if a node holds more than a step looks at', async () => {
    const { client } = large;
    const stream = freshName('orders');
    await addEntries(client, stream, numbers(15_000));
    await client.xgroup('CREATE', stream, 'shipping', '$');
    const retention = { maxLength: 500 };
    for (const force of [false, true]) {
      const app = await idleApp({
        connection: large.url,
        streams: { [stream]: { retention: force ? { ...retention, force } : retention } },
      });
      if (force) {
        await addEntries(client, stream, numbers(15_000));
        await client.xreadgroup('GROUP', 'shipping', 'one', 'COUNT', 1, 'STREAMS', stream, '>');
      }
      const { removed } = await app.get(RetentionJob).run();
      expect(removed).toBeGreaterThan(12_000);
      expect(await client.xlen(stream)).toBeGreaterThanOrEqual(500);
      expect(await client.xlen(stream)).toBeLessThan(500 + 1_000 + 2_000);
    }
  });

  it.each<[string, (stream: string) => Promise<unknown>, string]>([
    ['has no consumers', () => Promise.resolve(), 'has no consumers'],
    [
      'had none active for consumerIdleMs',
      async (stream) => {
        await redis.client.xgroup('CREATECONSUMER', stream, 'audit', 'one');
        const consumers = () => redis.client.xinfo('CONSUMERS', stream, 'audit') as Promise<[[]]>;
        await waitFor(async () => Number((await consumers())[0].at(5)) >= 1_000);
      },
      'had no active consumer for 1',
    ],
  ])('says once which group holds it up, if that %s', async (_, prepare, said) => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'audit', { read: 0 });
    await prepare(stream);
    const app = await idleApp({
      blockMs: 100,
      maintenance: { consumerIdleMs: 1_000 },
      streams: { [stream]: { retention: { maxLength: 10 } } },
    });
    for (let n = 0; n < 2; n++) expect(await app.get(RetentionJob).run()).toEqual({ removed: 0 });
    expect(logged('warn', stream)).toEqual([expect.stringContaining(`"audit" has not finished`)]);
    expect(logged('warn', stream)).toEqual([expect.stringContaining(said)]);
  });

  it('does not say so of a group whose consumers are active', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'audit', { read: 100, unfinished: [0] });
    const job = await jobFor(stream, { maxLength: 10 });
    expect(await job.run()).toEqual({ removed: 0 });
    expect(logged('warn', stream)).toEqual([]);
  });

  it.each<[string, { read: number; unfinished?: number[] }, number]>([
    ['a group that has read nothing', { read: 0 }, 0],
    ['a group that has read a part', { read: 35 }, 30],
    ['an entry that is pending', { read: 100, unfinished: [24] }, 20],
    ['the oldest of the pending entries', { read: 100, unfinished: [95, 58, 71] }, 50],
    ['nothing, if the group has finished everything', { read: 100 }, 90],
  ])('stops at %s', async (_, state, first) => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'shipping', { read: 100 });
    await group(stream, 'audit', state);
    const job = await jobFor(stream, { maxLength: 10 });
    expect(await job.run()).toEqual({ removed: first });
    expect(await oldest(stream)).toBe(first);
    const left = await redis.client.xrange(stream, '-', '+');
    expect(left).toHaveLength(100 - first);
  });

  it('stops at what a group that was set back has to read again, whatever is pending above it', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'audit', { read: 100, unfinished: [90] });
    await redis.client.xgroup('SETID', stream, 'audit', '0');
    const job = await jobFor(stream, { maxLength: 10 });
    expect(await job.run()).toEqual({ removed: 0 });
  });

  it('continues once the group has caught up', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        streams: { [stream]: { retention: { maxLength: 10 } } },
      },
      { controllers: [handlerOf(stream, () => undefined, { startFrom: 'beginning' })] },
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(await app.app.get(RetentionJob).run()).toEqual({ removed: 90 });
  });

  it('is not held up by ignored groups', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'audit', { read: 0 });
    await group(stream, 'shipping', { read: 45 });
    const before = logged('warn', stream).length;
    const job = await jobFor(stream, { maxLength: 10, ignoreGroups: ['audit'] });
    expect(await job.run()).toEqual({ removed: 40 });
    expect(logged('warn', stream)).toHaveLength(before);
  });

  it('by force removes unread entries, counts and logs them', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'audit', { read: 20 });
    const job = await jobFor(stream, { maxLength: 30, force: true });
    expect(await job.run()).toEqual({ removed: 70 });
    expect(await redis.client.xlen(stream)).toBe(30);
    expect(logged('warn', stream)).toEqual([expect.stringContaining('50 entries')]);
  });

  it('by force logs nothing if everything was read', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    await group(stream, 'audit', { read: 100 });
    const job = await jobFor(stream, { maxLength: 30, force: true });
    expect(await job.run()).toEqual({ removed: 70 });
    expect(logged('warn', stream)).toEqual([]);
  });

  it('ignores streams that are not configured, and creates none', async () => {
    const [kept, missing] = [freshName('kept'), freshName('missing')];
    await addEntries(redis.client, kept, numbers(100));
    const job = await jobFor(missing, { maxLength: 1 });
    expect(await job.run()).toEqual({ removed: 0 });
    expect(await redis.client.xlen(kept)).toBe(100);
    expect(await redis.client.exists(missing)).toBe(0);
  });

  it('that fails for one stream trims the others, and names the failed one', async () => {
    const [broken, stream] = [freshName('broken'), freshName('orders')];
    await redis.client.set(broken, 'not a stream');
    await addEntries(redis.client, stream, numbers(100));
    const retention = { maxLength: 10 };
    const app = await idleApp({ streams: { [broken]: { retention }, [stream]: { retention } } });
    const failure = await app
      .get(RetentionJob)
      .run()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(JobFailedError);
    expect(failure).toMatchObject({ code: 'JOB_FAILED', streams: [broken], removed: 90 });
    expect(String(failure)).toContain('WRONGTYPE');
    expect(await redis.client.xlen(stream)).toBe(10);
  });

  it('finds its stream under the key prefix', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, `dev:${stream}`, numbers(100));
    const app = await idleApp({
      keyPrefix: 'dev:',
      streams: { [stream]: { retention: { maxLength: 10 } } },
    });
    expect(await app.get(RetentionJob).run()).toEqual({ removed: 90 });
  });
});

describe('the lock of a job', () => {
  const trimmed = (stream: string) => ({
    streams: { [stream]: { retention: { maxLength: 10 } } },
  });

  it('is held by one instance at a time: another one removes nothing, and leaves the lock alone', async () => {
    const stream = freshName('orders');
    const lock = `stream:{${stream}}:jobs:retention`;
    await addEntries(redis.client, stream, numbers(100));
    const app = await idleApp(trimmed(stream));
    await redis.client.set(lock, 'another', 'PX', 60_000);
    expect(await app.get(RetentionJob).run()).toEqual({ removed: 0 });
    expect(await redis.client.get(lock)).toBe('another');
    expect(await redis.client.xlen(stream)).toBe(100);
    await redis.client.del(lock);
    expect(await app.get(RetentionJob).run()).toEqual({ removed: 90 });
    expect(await redis.client.exists(lock)).toBe(0);
  });

  it('is free again after a while if its holder died', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    const app = await idleApp(trimmed(stream));
    await redis.client.set(`stream:{${stream}}:jobs:retention`, 'dead', 'PX', 200);
    await waitFor(async () => (await app.get(RetentionJob).run()).removed === 90);
  });

  it('is not released by an instance that took too long: it does not free what another holds now', async () => {
    const key = freshName('lock');
    const result = await withJobLock(redis.client, key, async () => {
      expect(await redis.client.pttl(key)).toBeGreaterThan(0);
      await redis.client.set(key, 'another');
      return 'done';
    });
    expect(result).toBe('done');
    expect(await redis.client.get(key)).toBe('another');
  });

  it('is kept longer by an instance that renews it, and only while it still holds it', async () => {
    const key = freshName('lock');
    await withJobLock(redis.client, key, async (keep) => {
      await redis.client.pexpire(key, 5_000);
      expect(await keep()).toBe(1);
      expect(await redis.client.pttl(key)).toBeGreaterThan(5_000);
      await redis.client.set(key, 'another', 'PX', 5_000);
      expect(await keep()).toBe(0);
      expect(await redis.client.pttl(key)).toBeLessThanOrEqual(5_000);
    });
  });

  it('is free again if the job failed', async () => {
    const key = freshName('lock');
    const failing = withJobLock(redis.client, key, () => Promise.reject(new Error('refused')));
    await expect(failing).rejects.toThrow('refused');
    expect(await redis.client.exists(key)).toBe(0);
  });

  it('is decided between instances that start together: nothing is counted twice', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(3_000));
    const apps = await Promise.all([1, 2, 3].map(() => idleApp(trimmed(stream))));
    const runs = await Promise.all(apps.map((app) => app.get(RetentionJob).run()));
    expect(runs.reduce((sum, { removed }) => sum + removed, 0)).toBe(2_990);
    expect(await redis.client.xlen(stream)).toBe(10);
  });
});

describe('the schedule', () => {
  it("is in the app's own registry if it has a ScheduleModule, and gone when it closes", async () => {
    const app = await idleApp({}, { imports: [ScheduleModule.forRoot()] });
    await app.init();
    const registry = app.get(SchedulerRegistry);
    const monitor = app.get(StreamsMonitor);
    expect(registry.getIntervals().sort()).toEqual(JOBS);
    expect(monitor.getStats().maintenanceScheduled).toBe(true);
    await app.close();
    expect(registry.getIntervals()).toEqual([]);
    expect(monitor.getStats().maintenanceScheduled).toBe(false);
  });

  it("is in the app's own registry if this package is imported first, too", async () => {
    const server = RedisStreamsModule.forRoot({ connection: redis.url, group: GROUP });
    const app = await NestFactory.createApplicationContext(
      moduleOf([server, ScheduleModule.forRoot()], {}),
      { logger: recordedLog, abortOnError: false },
    );
    opened.push(app);
    expect(app.get(SchedulerRegistry).getIntervals().sort()).toEqual(JOBS);
  });

  it("lets the app's own @Interval and @Cron run as often as without this package", async () => {
    const ticking = () => {
      const ticks = { interval: 0, cron: 0 };
      @Injectable()
      class Ticking {
        @Interval(50)
        everySoOften(): void {
          ticks.interval++;
        }
        @Cron('* * * * * *')
        everySecond(): void {
          ticks.cron++;
        }
      }
      return { ticks, metadata: { imports: [ScheduleModule.forRoot()], providers: [Ticking] } };
    };
    const ours = ticking();
    const plain = ticking();
    const withUs = await idleApp(
      { maintenance: { ledgerIntervalMs: 1_000, retentionIntervalMs: 1_000 } },
      ours.metadata,
    );
    const without = await NestFactory.createApplicationContext(moduleOf([], plain.metadata), {
      logger: recordedLog,
    });
    opened.push(without);
    await withUs.init();
    const from = { ours: { ...ours.ticks }, plain: { ...plain.ticks } };
    await waitFor(() => plain.ticks.cron - from.plain.cron >= 5);
    const passed = (ticks: { interval: number; cron: number }, since: typeof ticks) => ({
      interval: ticks.interval - since.interval,
      cron: ticks.cron - since.cron,
    });
    const a = passed(ours.ticks, from.ours);
    const b = passed(plain.ticks, from.plain);
    // The two need not tick at the same moment; running twice would double the count.
    expect(Math.abs(a.cron - b.cron)).toBeLessThanOrEqual(3);
    expect(Math.abs(a.interval - b.interval)).toBeLessThanOrEqual(0.4 * b.interval);
  });

  it('starts with the app, even if nothing listens', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, numbers(100));
    const app = await idleApp({
      streams: { [stream]: { retention: { maxLength: 10 } } },
      maintenance: { retentionIntervalMs: 1_000 },
    });
    expect(app.get(StreamsMonitor).getStats().maintenanceScheduled).toBe(false);
    await app.init();
    expect(app.get(StreamsMonitor).getStats().maintenanceScheduled).toBe(true);
    await waitFor(async () => (await redis.client.xlen(stream)) === 10);
  });

  it('starts with startAllMicroservices() alone, and not a second time with the app', async () => {
    const registered = jest.spyOn(SchedulerRegistry.prototype, 'addInterval');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(freshName('orders'), () => undefined)] },
    );
    expect(app.monitor.getStats().maintenanceScheduled).toBe(true);
    await app.app.init();
    expect(registered.mock.calls.map(([name]) => name).sort()).toEqual(JOBS);
    await app.close();
    registered.mockRestore();
    expect(app.monitor.getStats().maintenanceScheduled).toBe(false);
  });

  it('does not keep the app from closing while Redis is away and a job waits for it', async () => {
    const server = await startRedis({ args: [] });
    try {
      const app = await idleApp({
        connection: server.url,
        streams: { orders: { retention: { maxLength: 10 } } },
        maintenance: { retentionIntervalMs: 1_000 },
        shutdown: { drainTimeoutMs: 300 },
      });
      const run = jest.spyOn(app.get(RetentionJob), 'run');
      await server.stop();
      await app.init();
      await waitFor(() => run.mock.calls.length === 1);
      expect(await timeWithoutStalls(app.close())).toBeLessThan(1_300);
    } finally {
      await server.stop();
    }
  });

  it('logs what failed, and tries again at the next interval', async () => {
    const stream = freshName('orders');
    await redis.client.set(stream, 'not a stream');
    const app = await idleApp({
      streams: { [stream]: { retention: { maxLength: 10 } } },
      maintenance: { retentionIntervalMs: 1_000 },
    });
    const before = logged('warn', '"redis-streams:retention" failed').length;
    await app.init();
    await waitFor(() => logged('warn', '"redis-streams:retention" failed').length > before);
    await redis.client.del(stream);
    await addEntries(redis.client, stream, numbers(100));
    await waitFor(async () => (await redis.client.xlen(stream)) === 10);
  });
});

describe('getStats()', () => {
  it('reports what the server is, reads and has done', async () => {
    const [orders, parcels] = [freshName('orders'), freshName('parcels')];
    let release = (): void => undefined;
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        retry: { backoff: { delayMs: 60_000 } },
        consumer: 'billing-0',
        dedup: { windowMs: 60_000 },
      },
      {
        controllers: [
          handlerOf<{ fail?: boolean }>(orders, ({ fail }) => {
            if (fail) throw new Error('refused');
          }),
          handlerOf(
            parcels,
            () =>
              new Promise<void>((resolve) => {
                release = resolve;
              }),
          ),
        ],
      },
    );
    const stats = () => app.monitor.getStats();
    expect(stats()).toEqual({
      group: GROUP,
      consumer: 'billing-0',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      streams: [orders, parcels],
      subscriptions: 2,
      dedupWindowMs: 60_000,
      lastLedgerMaintenanceAt: undefined,
      maintenanceScheduled: true,
      partitions: [],
      inFlight: 0,
      counts: {
        handled: 0,
        failed: 0,
        retried: 0,
        duplicate: 0,
        deadLettered: 0,
        unhandled: 0,
        abandoned: 0,
        lost: 0,
      },
      reconnects: 0,
      setAside: [],
      byStream: expect.any(Array),
      jobs: expect.any(Array),
    });
    await addEntries(redis.client, orders, [{ n: 1 }, { n: 2 }], 'order-1');
    await app.emit(orders, { fail: true });
    await firstValueFrom(app.client.emit(parcels, {}));
    await waitFor(() => stats().inFlight === 1 && stats().counts.failed === 1);
    await waitFor(() => stats().counts.duplicate === 1);
    expect(stats().counts).toMatchObject({ handled: 1, failed: 1, duplicate: 1, lost: 0 });
    release();
    await waitFor(() => stats().counts.handled === 2);
    await app.app.get(LedgerMaintenanceJob).run();
    expect(stats().lastLedgerMaintenanceAt).toBeInstanceOf(Date);
    await app.close();
    expect(stats()).toMatchObject({ inFlight: 0, counts: { handled: 2 } });
  });

  it('reports no window if there is no ledger', async () => {
    const app = await idleApp({ dedup: false });
    expect(app.get(StreamsMonitor).getStats().dedupWindowMs).toBe(false);
  });
});
