import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { filter, firstValueFrom } from 'rxjs';

import { ClientRedisStreams, PublishError } from '../../lib/index.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
closeAppsAfterEach();

const GROUP = 'billing';
const clients = new Set<ClientRedisStreams>();
const servers = new Set<StartedRedis>();

afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()));
  await Promise.all([...servers].map((server) => server.stop()));
  clients.clear();
  servers.clear();
});

function clientFor(
  options: ConstructorParameters<typeof ClientRedisStreams>[0],
): ClientRedisStreams {
  const client = new ClientRedisStreams(options);
  clients.add(client);
  return client;
}

async function serverOfOurOwn(): Promise<StartedRedis> {
  const server = await startRedis({ args: [] });
  servers.add(server);
  return server;
}

const dropAllConnections = (): Promise<unknown> =>
  redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

/** The URL of a port on which nothing listens, and a function that starts Redis there. */
async function redisThatIsDown(): Promise<{ url: string; start: () => Promise<void> }> {
  const server = await serverOfOurOwn();
  await server.process?.kill();
  return { url: server.url, start: async () => void (await server.process?.restart()) };
}

describe('a Redis that is away', () => {
  it('at start: the server logs that it waits, and then reads', async () => {
    const { url, start } = await redisThatIsDown();
    const stream = freshName('orders');
    const got: unknown[] = [];
    let listening = false;
    const starting = streamsApp(
      { connection: url, group: GROUP },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    ).then((app) => {
      listening = true;
      return app;
    });
    const count = logged('warn', 'Redis cannot be reached (commands)').length;
    await waitFor(() => logged('warn', 'Redis cannot be reached (commands)').length > count);
    expect(listening).toBe(false);
    await start();
    const app = await starting;
    await app.emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
  });

  it('for a while: a consumer continues by itself, and what was delivered before is handled once', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, concurrency: 5 },
      {
        controllers: [
          handlerOf<{ n: number }>(stream, async ({ n }) => {
            await delay(5);
            got.push(n);
          }),
        ],
      },
    );
    await addEntries(
      redis.client,
      stream,
      Array.from({ length: 300 }, (_, n) => ({ n })),
    );
    await waitFor(() => got.length > 50);
    await redis.server.process?.kill();
    await redis.server.process?.restart({
      args: ['--appendonly', 'yes', '--appendfsync', 'always'],
    });
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect([...got].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  it('dropped connections lose nothing, and run nothing twice', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, batchSize: 20 },
      {
        controllers: [
          handlerOf<{ n: number }>(stream, async ({ n }) => {
            if (n % 10 === 0) await delay(1);
            got.push(n);
          }),
        ],
      },
    );
    const statuses: string[] = [];
    app.server.status.subscribe((status) => statuses.push(status));
    await addEntries(
      redis.client,
      stream,
      Array.from({ length: 1_000 }, (_, n) => ({ n })),
    );
    for (let round = 1; round <= 3; round++) {
      await waitFor(() => got.length >= round * 200);
      await dropAllConnections();
    }
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toHaveLength(1_000);
    expect(new Set(got).size).toBe(1_000);
    expect(statuses).toContain('reconnecting');
    expect(statuses.at(-1)).toBe('connected');
  });

  it('after a reconnect a failed message is retried; nothing that runs is run twice or delivered again', async () => {
    const stream = freshName('orders');
    const release: (() => void)[] = [];
    const runs: number[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, consumer: 'member-1', concurrency: 2 },
      {
        controllers: [
          handlerOf<{ n: number }>(stream, ({ n }) => {
            runs.push(n);
            if (n === 1 && runs.filter((run) => run === 1).length === 1) throw new Error('once');
            if (n === 2) return new Promise<void>((resolve) => void release.push(resolve));
            return undefined;
          }),
        ],
      },
    );
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
    await waitFor(() => release.length === 1);
    await waitFor(() => runs.length === 2);
    // A failed message is finished once its lease is released.
    await waitFor(
      async () => (await redis.client.hlen(`stream:{${stream}}:group:${GROUP}:leases`)) === 1,
    );
    const [failed] = await pendingEntries(redis.client, stream, GROUP);
    expect(failed?.deliveries).toBe(1);
    await dropAllConnections();
    await waitFor(() => runs.length === 3);
    release[0]?.();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(runs).toEqual([1, 2, 1]);
  });

  it('FLUSHALL, DEL and XGROUP DESTROY during a blocked read: what is published afterwards is handled', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    const vanish = [
      () => redis.client.del(stream),
      () => redis.client.flushall(),
      () => redis.client.xgroup('DESTROY', stream, GROUP),
    ];
    for (const [n, step] of vanish.entries()) {
      await app.emit(stream, { n, before: true });
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      await step();
      await addEntries(redis.client, stream, [{ n }, { n }]);
      await waitFor(() => got.length === (n + 1) * 3);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    }
    expect(got).toHaveLength(9);
  });
});

describe('publishing', () => {
  it('without a connection in time fails, says that the message did not arrive, and does not send it later', async () => {
    const { url, start } = await redisThatIsDown();
    const stream = freshName('orders');
    const client = clientFor({ connection: url, publishTimeoutMs: 200 });
    const error: unknown = await firstValueFrom(client.emit(stream, { n: 1 })).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({ ambiguous: false, stream, code: 'PUBLISH_FAILED' });
    await start();
    const receipt = await firstValueFrom(clientFor({ connection: url }).emit(stream, { n: 2 }));
    await client.connect();
    const look = new Redis(url);
    expect(await look.xrange(stream, '-', '+')).toHaveLength(1);
    expect((await look.xrange(stream, '-', '+'))[0]?.[0]).toBe(receipt.entryId);
    look.disconnect();
  });

  it('to a Redis that does not answer fails in time, and says that the message may have arrived', async () => {
    const server = await serverOfOurOwn();
    const client = clientFor({ connection: server.url, publishTimeoutMs: 300 });
    const stream = freshName('orders');
    await firstValueFrom(client.emit(stream, { n: 1 }));
    process.kill(Number(server.process?.pid), 'SIGSTOP');
    try {
      const error = firstValueFrom(client.emit(stream, { n: 2 })).catch(
        (reason: unknown) => reason,
      );
      expect(await timeWithoutStalls(error)).toBeLessThan(1_500);
      expect(await error).toMatchObject({ code: 'PUBLISH_FAILED', ambiguous: true });
    } finally {
      process.kill(Number(server.process?.pid), 'SIGCONT');
    }
  });

  it("that Redis refuses fails with Redis's reason, and is not ambiguous", async () => {
    const key = freshName('text');
    await redis.client.set(key, 'not a stream');
    const client = clientFor({ connection: redis.url });
    const error: unknown = await firstValueFrom(client.emit(key, { n: 1 })).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ ambiguous: false });
    expect(String(error)).toContain('WRONGTYPE');
  });

  it('happens at the call, subscribed or not, and once however many subscribe', async () => {
    const stream = freshName('orders');
    const client = clientFor({ connection: redis.url });
    const result = client.emit(stream, { n: 1 });
    await waitFor(async () => (await redis.client.xlen(stream)) === 1);
    const [first, second] = await Promise.all([firstValueFrom(result), firstValueFrom(result)]);
    expect(second).toEqual(first);
    expect(first).toMatchObject({ stream, duplicate: false });
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  it('that fails without an observer is logged', async () => {
    const key = freshName('text');
    await redis.client.set(key, 'not a stream');
    clientFor({ connection: redis.url }).emit(key, { n: 1 });
    await waitFor(() => logged('error', 'WRONGTYPE').some((line) => line.includes(key)));
  });

  it('of a payload that JSON cannot represent is an error before anything is sent', async () => {
    const stream = freshName('orders');
    const client = clientFor({ connection: redis.url });
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const payload of [circular, { big: 1n }, () => 1, Symbol('x')]) {
      await expect(firstValueFrom(client.emit(stream, payload))).rejects.toMatchObject({
        code: 'MESSAGE_NOT_ENCODABLE',
      });
    }
    for (const nothing of [null, undefined]) {
      await expect(firstValueFrom(client.emit(stream, nothing))).rejects.toThrow(
        /invalid data or message pattern/,
      );
    }
    expect(await redis.client.exists(stream)).toBe(0);
  });

  it('keeps the order of the calls, including those made before there was a connection', async () => {
    const stream = freshName('orders');
    const client = clientFor({ connection: redis.url });
    await Promise.all(
      Array.from({ length: 200 }, (_, n) => firstValueFrom(client.emit(stream, { n }))),
    );
    const entries = await redis.client.xrange(stream, '-', '+');
    expect(entries.map(([, fields]) => JSON.parse(fields[3] ?? '').n)).toEqual(
      Array.from({ length: 200 }, (_, n) => n),
    );
  });
});

describe("the caller's own connection", () => {
  it('carries the commands, never blocks, and stays open', async () => {
    const mine = redis.connect();
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = await streamsApp(
      { connection: mine, group: GROUP },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    await app.emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    expect(await timeWithoutStalls(mine.ping())).toBeLessThan(1_000);
    await app.close();
    expect(mine.status).toBe('ready');
    expect(await mine.ping()).toBe('PONG');
  });
});

describe('closing', () => {
  it('lets running handlers finish, commits them, and releases what did not start', async () => {
    const stream = freshName('orders');
    let started = 0;
    let ended = 0;
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      {
        controllers: [
          handlerOf(stream, async () => {
            started++;
            await delay(300);
            ended++;
          }),
        ],
      },
    );
    await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await waitFor(() => started === 1);
    await waitFor(async () => (await groupState(redis.client, stream, GROUP))?.pending === 2);
    await app.close();
    expect([started, ended]).toEqual([1, 1]);
    expect(await redis.client.zcard(`stream:{${stream}}:group:${GROUP}:processed`)).toBe(1);
    expect(await redis.client.hlen(`stream:{${stream}}:group:${GROUP}:leases`)).toBe(0);
    expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(1);
  });

  it.each([{ dedup: { windowMs: 60_000 } }, { dedup: false as const }])(
    'hands what it read and did not start back to the group at once, and leaves no consumer behind (%j)',
    async ({ dedup }) => {
      const stream = freshName('orders');
      const runs: number[] = [];
      let release = (): void => undefined;
      const closing = await streamsApp(
        { connection: redis.url, group: GROUP, dedup },
        {
          controllers: [
            handlerOf<{ n: number }>(stream, ({ n }) => {
              runs.push(n);
              return new Promise<void>((resolve) => {
                release = resolve;
              });
            }),
          ],
        },
      );
      await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
      await waitFor(async () => (await groupState(redis.client, stream, GROUP))?.pending === 2);
      await waitFor(() => runs.length === 1);
      await streamsApp(
        { connection: redis.url, group: GROUP, dedup },
        { controllers: [handlerOf<{ n: number }>(stream, ({ n }) => void runs.push(n))] },
      );
      const closed = closing.close();
      // The first handler is still running: the second message does not wait for it.
      expect(await timeWithoutStalls(waitFor(() => runs.length === 2))).toBeLessThan(1_000);
      release();
      await closed;
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(runs).toEqual([1, 2]);
      expect(await redis.client.xinfo('CONSUMERS', stream, GROUP)).toHaveLength(1);
    },
  );

  it('ends in time despite a hanging handler, whose signal is aborted', async () => {
    const stream = freshName('orders');
    let aborted = false;
    let started = false;
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, shutdown: { drainTimeoutMs: 300 } },
      {
        controllers: [
          handlerOf(stream, (_, context) => {
            started = true;
            context.getSignal().addEventListener('abort', () => {
              aborted = true;
            });
            return new Promise(() => undefined);
          }),
        ],
      },
    );
    await app.emit(stream, { n: 1 });
    await waitFor(() => started);
    expect(await timeWithoutStalls(app.close())).toBeLessThan(1_300);
    expect(aborted).toBe(true);
    expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(1);
  });

  it.each(['SIGSTOP', 'SIGKILL'] as const)(
    'ends in time while Redis is away (%s)',
    async (signal) => {
      const server = await serverOfOurOwn();
      const stream = freshName('orders');
      const got: unknown[] = [];
      let release = (): void => undefined;
      const app = await streamsApp(
        { connection: server.url, group: GROUP, shutdown: { drainTimeoutMs: 500 } },
        {
          controllers: [
            handlerOf(stream, (data) => {
              got.push(data);
              return new Promise<void>((resolve) => {
                release = resolve;
              });
            }),
          ],
        },
      );
      await app.emit(stream, { n: 1 });
      await waitFor(() => got.length === 1);
      process.kill(Number(server.process?.pid), signal);
      try {
        release();
        expect(await timeWithoutStalls(app.close())).toBeLessThan(1_500);
      } finally {
        if (signal === 'SIGSTOP') process.kill(Number(server.process?.pid), 'SIGCONT');
      }
    },
  );

  it('does not take the time for handlers if Redis is away and none runs', async () => {
    const server = await serverOfOurOwn();
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: server.url, group: GROUP, shutdown: { drainTimeoutMs: 200_000 } },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    await app.emit(stream, { n: 1 });
    await waitFor(() => app.monitor.getStats().counts.handled === 1);
    const lost = firstValueFrom(app.server.status.pipe(filter((status) => status !== 'connected')));
    await server.process?.kill();
    await lost;
    expect(await timeWithoutStalls(app.close())).toBeLessThan(5_000);
  });

  it('ends at once while the server still waits for Redis at start', async () => {
    const { url } = await redisThatIsDown();
    const before = logged('warn', 'Redis cannot be reached (commands)').length;
    await expect(
      streamsApp(
        { connection: url, group: GROUP },
        {
          controllers: [handlerOf(freshName('orders'), () => undefined)],
          before: (app) => {
            void waitFor(
              () => logged('warn', 'Redis cannot be reached (commands)').length > before,
            ).then(() => app.close());
          },
        },
      ),
    ).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });
});
