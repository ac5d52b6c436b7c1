import { describe, expect, it } from '@jest/globals';
import { type HealthIndicatorResult, TerminusModule } from '@nestjs/terminus';

import { InvalidOptionsError, type RedisStreamsModuleOptions } from '../../lib/index.js';
import {
  RedisStreamsHealthIndicator,
  type RedisStreamsHealthLimits,
} from '../../lib/telemetry/terminus/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
  type StreamsAppParts,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

interface HealthApp extends StreamsApp {
  /** The problems; none if everything is fine. */
  problems(limits?: RedisStreamsHealthLimits): Promise<string[]>;
}

async function healthApp(
  options: Partial<RedisStreamsModuleOptions>,
  controllers: StreamsAppParts['controllers'],
): Promise<HealthApp> {
  const app = await streamsApp(
    { connection: redis.url, group: GROUP, shutdown: { drainTimeoutMs: 300 }, ...options },
    {
      controllers: controllers ?? [],
      imports: [TerminusModule.forRoot({ logger: false })],
      providers: [RedisStreamsHealthIndicator],
    },
  );
  const indicator = app.app.get(RedisStreamsHealthIndicator);
  return {
    ...app,
    problems: async (limits) => {
      const result: HealthIndicatorResult<'streams'> = await indicator.isHealthy('streams', limits);
      const { status, problems = [] } = result.streams as {
        status: string;
        problems?: string[];
      };
      expect(status).toBe(problems.length === 0 ? 'up' : 'down');
      return problems;
    },
  };
}

describe('health', () => {
  it('is up if everything is fine and within all limits', async () => {
    const stream = freshName('orders');
    const app = await healthApp({}, [handlerOf(stream, () => undefined)]);
    await app.emit(stream, 1);
    await waitFor(() => app.monitor.getStats().counts.handled === 1);
    expect(await app.problems()).toEqual([]);
    const limits = { maxLag: 0, maxDeadLetters: 0, minRetentionHeadroom: 1 };
    await waitFor(async () => (await app.problems({ ...limits, maxPendingAgeMs: 1 })).length === 0);
  });

  it('is down if a group is missing', async () => {
    const stream = freshName('orders');
    const app = await healthApp({ recovery: { intervalMs: 60_000 } }, [
      handlerOf(stream, () => new Promise(() => undefined), { concurrency: 1, batchSize: 1 }),
    ]);
    await addEntries(redis.client, stream, [1, 2, 3]);
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    await waitFor(async () => (await app.monitor.inspect()).streams[0]?.pending === 2);
    // There is no free slot, so no read notices it before this check does.
    await redis.client.xgroup('DESTROY', stream, GROUP);
    expect(await app.problems()).toEqual([`stream "${stream}" has no group "${GROUP}"`]);
  });

  it('is down if a limit is exceeded: pending age, lag, dead letters, retention headroom', async () => {
    const stream = freshName('orders');
    const app = await healthApp(
      { batchSize: 1, streams: { [stream]: { retention: { maxAgeMs: 1_000, maxLength: 8 } } } },
      [
        handlerOf<string>(stream, (data, context) => {
          if (data !== 'dead') return new Promise(() => undefined);
          context.deadLetter('said so');
          return undefined;
        }),
      ],
    );
    await app.emit(stream, 'dead');
    await waitFor(() => app.monitor.getStats().counts.deadLettered === 1);
    for (const n of [1, 2, 3, 4, 5]) await app.emit(stream, n);
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    expect(await app.problems()).toEqual([]);
    await waitFor(async () => {
      const problems = await app.problems({
        maxPendingAgeMs: 1,
        maxLag: 1,
        maxDeadLetters: 0,
        minRetentionHeadroom: 0.5,
      });
      expect(problems).toEqual([
        expect.stringMatching(/^the oldest pending entry of stream ".*" is \d+ ms old, and 1 are/),
        expect.stringMatching(/^stream ".*" has \d unread entries, and 1 are allowed$/),
        `stream "${stream}" has 1 dead letters, and 0 are allowed`,
        expect.stringMatching(/^unfinished entries of stream ".*" are about to be removed/),
      ]);
      return true;
    });
    expect(await app.problems({ maxPendingAgeMs: 60_000, maxLag: 9, maxDeadLetters: 1 })).toEqual(
      [],
    );
  });

  it('is down if the reader hangs, but not while it waits for a free slot', async () => {
    const stream = freshName('orders');
    const app = await healthApp({ blockMs: 100 }, [handlerOf(stream, () => undefined)]);
    const limits = { maxReaderQuietMs: 400 };
    const [, blocking] = app.server.unwrap();
    expect(await app.problems(limits)).toEqual([]);
    let fail: (error: Error) => void = () => undefined;
    blocking.xreadgroupBuffer = (() =>
      new Promise((_, reject) => {
        fail = reject;
      })) as never;
    await waitFor(async () => (await app.problems(limits)).length === 1);
    expect(await app.problems(limits)).toEqual([
      expect.stringMatching(/^the last read ended \d+ ms ago, and 400 are allowed$/),
    ]);
    Reflect.deleteProperty(blocking, 'xreadgroupBuffer');
    fail(new Error('at last'));
    await waitFor(async () => (await app.problems(limits)).length === 0);

    const busy = freshName('orders');
    const full = await healthApp({ blockMs: 100, batchSize: 1 }, [
      handlerOf(busy, () => new Promise(() => undefined)),
    ]);
    for (const n of [1, 2, 3]) await full.emit(busy, n);
    await waitFor(() => full.monitor.getStats().inFlight === 1);
    await waitFor(() => full.server.consumer?.readerQuietMs === 0);
    expect(await full.problems({ maxReaderQuietMs: 1 })).toEqual([]);
  });

  it('turns down when the app begins to close, while handlers still finish', async () => {
    const stream = freshName('orders');
    let end: () => void = () => undefined;
    const app = await healthApp({ shutdown: { drainTimeoutMs: 5_000 } }, [
      handlerOf(
        stream,
        () =>
          new Promise<void>((resolve) => {
            end = resolve;
          }),
      ),
    ]);
    await app.emit(stream, 1);
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    const closed = app.close();
    await waitFor(async () => (await app.problems())[0] === 'the app is closing');
    expect(app.monitor.getStats().inFlight).toBe(1);
    end();
    await closed;
    expect(await app.problems()).toEqual(['the app is closing']);
  });

  it('is down before the server listens, except for an app that reads nothing', async () => {
    const stream = freshName('orders');
    const app = await healthApp({}, [handlerOf(stream, () => undefined)]);
    await app.server.close();
    expect(await app.problems()).toContain('the server does not listen');
    const publishes = await healthApp({}, []);
    expect(await publishes.problems()).toEqual([]);
  });

  it('refuses invalid limits', async () => {
    const app = await healthApp({}, []);
    const refused = (limits: object): Promise<unknown> => {
      const asked = app.app.get(RedisStreamsHealthIndicator).isHealthy('streams', limits);
      return asked.catch((error: unknown) => error);
    };
    for (const limits of [
      { maxLags: 1 },
      { maxLag: -1 },
      { maxPendingAgeMs: 0 },
      { maxDeadLetters: 1.5 },
      { minRetentionHeadroom: 2 },
      { maxReaderQuietMs: 0 },
      { timeoutMs: '1' },
    ]) {
      expect(await refused(limits)).toBeInstanceOf(InvalidOptionsError);
    }
  });
});

withProcess('health, if Redis', () => {
  const own = redisForTests({ args: [] });

  it('evicts keys: down until that is changed', async () => {
    const app = await healthApp({ connection: own.url }, [
      handlerOf(freshName('orders'), () => undefined),
    ]);
    await own.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await app.problems()).toEqual([
      'maxmemory-policy of Redis is "allkeys-lru", which throws messages away',
    ]);
    await own.client.config('SET', 'maxmemory-policy', 'noeviction');
    expect(await app.problems()).toEqual([]);
  });

  it('is frozen: down within the timeout, and up again', async () => {
    const app = await healthApp({ connection: own.url }, [
      handlerOf(freshName('orders'), () => undefined),
    ]);
    const pid = own.server.process?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      expect(await app.problems({ timeoutMs: 100 })).toEqual([
        'Redis did not answer within 100 ms',
      ]);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await waitFor(async () => (await app.problems()).length === 0);
  });

  it('is gone: down, and up again once it is back', async () => {
    const app = await healthApp({ connection: own.url }, [
      handlerOf(freshName('orders'), () => undefined),
    ]);
    await own.server.process?.kill();
    expect(await app.problems({ timeoutMs: 100 })).toEqual(['Redis did not answer within 100 ms']);
    await own.server.process?.restart();
    await waitFor(async () => (await app.problems({ timeoutMs: 500 })).length === 0);
  });
});
