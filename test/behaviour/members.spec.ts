import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { Registry } from 'prom-client';

import {
  IdleConsumersJob,
  type RedisStreamsModuleOptions,
  type StreamInspection,
  type StreamOptions,
} from '../../lib/index.js';
import { RedisStreamsMetricsModule } from '../../lib/telemetry/prometheus/index.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { aliveUntil, recordOf, redisNow, writeMember } from '../support/members.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
/** The shortest time for which a member counts as alive, with the shortest interval. */
const LASTS_MS = 5_000;
const OFTEN = { minIdleMs: 1_000, intervalMs: 200 };
const PATIENCE = { timeoutMs: 60_000 };

const redis = redisForTests();
closeAppsAfterEach();
afterEach(endChildPrograms);

const options = (
  overrides: Partial<RedisStreamsModuleOptions> = {},
): RedisStreamsModuleOptions => ({
  connection: redis.url,
  group: GROUP,
  recovery: OFTEN,
  ...overrides,
});
const nothing = (): void => undefined;
const idle = (stream: string): Type => handlerOf(stream, nothing);

async function inspectionOf({ monitor }: StreamsApp): Promise<StreamInspection> {
  const [inspection] = (await monitor.inspect()).streams;
  if (inspection === undefined) throw new Error('nothing is subscribed to');
  return inspection;
}

/** Waits until a member's first report has expired: it is alive only if it has reported again. */
async function outlast(key: string, consumer: string): Promise<void> {
  const record = recordOf(key, GROUP);
  const first = await waitFor(() => aliveUntil(redis.client, record, consumer));
  await waitFor(async () => (await redisNow(redis.client)) > first, PATIENCE);
}

/** Waits until a member counts as alive. */
async function expectAlive(key: string, consumer: string): Promise<void> {
  const record = recordOf(key, GROUP);
  await waitFor(async () => {
    const until = await aliveUntil(redis.client, record, consumer);
    return until > (await redisNow(redis.client));
  }, PATIENCE);
}

describe('an idle member is alive, however long it waits in its read', () => {
  type Case = readonly [
    name: string,
    its: (stream: string) => Partial<RedisStreamsModuleOptions>,
    handlers?: (stream: string) => Type[],
  ];
  const address = (): { host: string; port: number } => {
    const { hostname: host, port } = new URL(redis.url);
    return { host, port: Number(port) };
  };
  const cases: readonly Case[] = [
    ['by default', () => ({})],
    ['in a read that outlasts the test', () => ({ blockMs: 600_000 })],
    ['in short reads', () => ({ blockMs: 100 })],
    ['at-most-once', () => ({ delivery: 'at-most-once' })],
    ['without a ledger', () => ({ dedup: false })],
    ['with RESP 2', () => ({ connection: { ...address(), protocol: 2 } })],
    ['with RESP 3', () => ({ connection: { ...address(), protocol: 3 } })],
    ['with a keyPrefix', () => ({ keyPrefix: freshPrefix() })],
    ['with partitions', (stream) => ({ streams: { [stream]: { partitions: 3 } } })],
    ['with a name of its own', () => ({ consumer: freshName('billing-0') })],
    [
      'among many streams',
      () => ({}),
      (stream) => [stream, ...Array.from({ length: 20 }, () => freshName('more'))].map(idle),
    ],
  ];

  // All at once: each of them waits until its first report has expired.
  it('in every mode', async () => {
    const seen = await Promise.all(
      cases.map(async ([name, optionsOf, handlers = (stream) => [idle(stream)]]) => {
        const stream = freshName('orders');
        const app = await streamsApp(options(optionsOf(stream)), { controllers: handlers(stream) });
        const { consumer, version } = app.monitor.getStats();
        await outlast((app.server.options.keyPrefix ?? '') + stream, consumer);
        // A busy machine can delay one report.
        return waitFor(async () => {
          const { membersAlive, consumers } = await inspectionOf(app);
          expect(consumers).toMatchObject([{ name: consumer, isAlive: true, version, pending: 0 }]);
          return [name, membersAlive] as const;
        }, PATIENCE);
      }),
    );
    expect(new Map(seen)).toEqual(new Map(cases.map(([name]) => [name, 1])));
  });

  it('of a stream that a wildcard found', async () => {
    const keyPrefix = freshPrefix();
    const app = await streamsApp(options({ keyPrefix, discoveryIntervalMs: 100 }), {
      controllers: [idle('orders:*')],
    });
    await addEntries(redis.client, `${keyPrefix}orders:eu`, [1]);
    const { consumer } = app.monitor.getStats();
    await outlast(`${keyPrefix}orders:eu`, consumer);
    await expectAlive(`${keyPrefix}orders:eu`, consumer);
  });
});

it('a member whose slots are all taken, with much to take over, is alive', async () => {
  const stream = freshName('orders');
  await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
  await addEntries(redis.client, stream, [...Array(50).keys()]);
  await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 50, 'STREAMS', stream, '>');
  let end: () => void = nothing;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const handler = handlerOf(stream, () => ended, { concurrency: 1, batchSize: 1 });
  const app = await streamsApp(options(), { controllers: [handler] });
  await waitFor(() => app.monitor.getStats().inFlight === 1, PATIENCE);
  await outlast(stream, app.monitor.getStats().consumer);
  await waitFor(async () => (await inspectionOf(app)).membersAlive === 1, PATIENCE);
  end();
});

describe('a member that closes', () => {
  it.each([
    ['with a name of its own', { consumer: 'billing-0' }],
    ['with a generated name', {}],
    ['with partitions', { streams: { orders: { partitions: 2 } } }],
  ] as const)('%s is no longer alive, and no row of it is left', async (_name, overrides) => {
    const keyPrefix = freshPrefix();
    const app = await streamsApp(options({ ...overrides, keyPrefix }), {
      controllers: [idle('orders')],
    });
    const { members, versions } = recordOf(`${keyPrefix}orders`, GROUP);
    const { consumer } = app.monitor.getStats();
    expect(await redis.client.zrange(members, '0', '-1')).toEqual([consumer]);
    expect(await redis.client.hkeys(versions)).toEqual([consumer]);
    await app.close();
    expect(await redis.client.exists(members, versions)).toBe(0);
  });

  it('leaves the others alive, which still report', async () => {
    const stream = freshName('orders');
    const [one, other] = await Promise.all([
      streamsApp(options(), { controllers: [idle(stream)] }),
      streamsApp(options(), { controllers: [idle(stream)] }),
    ]);
    await waitFor(async () => (await inspectionOf(one)).membersAlive === 2, PATIENCE);
    await other.close();
    await waitFor(async () => (await inspectionOf(one)).membersAlive === 1, PATIENCE);
    const { consumers } = await inspectionOf(one);
    expect(consumers.filter(({ isAlive }) => isAlive)).toMatchObject([
      { name: one.monitor.getStats().consumer },
    ]);
  });
});

describe('kill -9', () => {
  let compiled: CompiledPackage;
  beforeAll(async () => {
    compiled = await compiledPackage('test/support/programs');
  });

  it('of a member is noticed once its time is over, and a living member removes its row', async () => {
    // Both at once: each waits until the time of the killed one is over.
    await Promise.all([{}, { partitions: 2 }].map((each) => expectItDies(each)));
  });

  async function expectItDies(streamOptions: StreamOptions): Promise<void> {
    const stream = freshName('orders');
    const record = recordOf(stream, GROUP);
    const streams = { [stream]: streamOptions };
    const program = childProgram(compiled.program('test/support/programs/member.program.ts'), {
      env: {
        STREAM: stream,
        OPTIONS: JSON.stringify(options({ consumer: 'killed', streams })),
      },
    });
    await waitFor(() => program.output().includes('listening'), PATIENCE);
    const app = await streamsApp(options({ streams }), { controllers: [idle(stream)] });
    await waitFor(async () => (await inspectionOf(app)).membersAlive === 2, PATIENCE);
    program.kill('SIGKILL');
    await program.ended;
    const left =
      (await aliveUntil(redis.client, record, 'killed')) - (await redisNow(redis.client));
    expect(left).toBeLessThanOrEqual(LASTS_MS);
    await waitFor(async () => (await inspectionOf(app)).membersAlive === 1, PATIENCE);
    const { consumers } = await inspectionOf(app);
    expect(consumers.find(({ name }) => name === 'killed')?.isAlive ?? false).toBe(false);
    await waitFor(async () => (await redis.client.hlen(record.versions)) === 1, PATIENCE);
  }
});

describe('the record', () => {
  it('stays small if members come and go', async () => {
    const stream = freshName('orders');
    const record = recordOf(stream, GROUP);
    for (let n = 0; n < 100; n++) await writeMember(redis.client, record, `dead-${n}`, -1, '0.0.1');
    const started = Promise.all(
      Array.from({ length: 5 }, () => streamsApp(options(), { controllers: [idle(stream)] })),
    );
    for (const app of await started) await app.close();
    const app = await streamsApp(options(), { controllers: [idle(stream)] });
    expect(await redis.client.zrange(record.members, '0', '-1')).toEqual([
      app.monitor.getStats().consumer,
    ]);
    expect(await redis.client.hlen(record.versions)).toBe(1);
  });

  it('expires ten minutes after its last row, whichever member renewed it last', async () => {
    const stream = freshName('orders');
    const { members, versions } = recordOf(stream, GROUP);
    const seldom = { minIdleMs: 60_000, intervalMs: 3_600_000 };
    const patient = await streamsApp(options({ recovery: seldom }), {
      controllers: [idle(stream)],
    });
    const other = await streamsApp(options(), { controllers: [idle(stream)] });
    const record = recordOf(stream, GROUP);
    await outlast(stream, other.monitor.getStats().consumer);
    const untilMs = await aliveUntil(redis.client, record, patient.monitor.getStats().consumer);
    const lastsMs = untilMs - (await redisNow(redis.client));
    expect(lastsMs).toBeGreaterThan(3 * seldom.intervalMs);
    expect(lastsMs).toBeLessThanOrEqual(4 * seldom.intervalMs);
    for (const key of [members, versions]) {
      const expiresMs = await redis.client.pttl(key);
      expect(expiresMs).toBeGreaterThan(lastsMs);
      expect(expiresMs).toBeLessThanOrEqual(lastsMs + 600_000 + LASTS_MS);
    }
  });

  it('of one stream that cannot be written harms neither that stream nor the others', async () => {
    const streams = Array.from({ length: 12 }, () => freshName('orders'));
    const [broken = '', ...whole] = streams;
    await redis.client.set(recordOf(broken, GROUP).members, 'not a record');
    const handled: string[] = [];
    const app = await streamsApp(options(), {
      controllers: streams.map((stream) => handlerOf(stream, () => void handled.push(stream))),
    });
    const { consumer } = app.monitor.getStats();
    await Promise.all(whole.map((stream) => outlast(stream, consumer)));
    for (const stream of streams) await app.emit(stream, 1);
    await waitFor(() => handled.length === streams.length, PATIENCE);
    await waitFor(() => isCaughtUp(redis.client, broken, GROUP), PATIENCE);
    for (const stream of whole) {
      await expectAlive(stream, consumer);
    }
    await redis.client.del(recordOf(broken, GROUP).members);
  });
});

describe('two versions in one group', () => {
  it('are both shown, by inspect() and by the metric', async () => {
    const stream = freshName('orders');
    const registry = new Registry();
    const app = await streamsApp(options({ recovery: {} }), {
      controllers: [idle(stream)],
      imports: [RedisStreamsMetricsModule.forRoot({ registry, intervalMs: 0 })],
    });
    await writeMember(redis.client, recordOf(stream, GROUP), 'older', 60_000, '0.0.9');
    await writeMember(redis.client, recordOf(stream, GROUP), 'oldest', 60_000, '0.0.9');
    const { version } = app.monitor.getStats();
    const { membersAlive, consumers } = await inspectionOf(app);
    expect(membersAlive).toBe(3);
    expect(consumers.map((each) => each.version).sort()).toEqual(['0.0.9', '0.0.9', version]);
    const text = await registry.metrics();
    for (const [label, count] of [
      [version, 1],
      ['0.0.9', 2],
    ]) {
      expect(text).toContain(
        `redis_streams_members_alive{stream="${stream}",group="${GROUP}",version="${label}"} ${count}`,
      );
    }
  });
});

describe('IdleConsumersJob', () => {
  it('removes no living member, however long Redis calls it idle', async () => {
    const stream = freshName('orders');
    const overrides = { blockMs: 900, maintenance: { consumerIdleMs: 1_000 } };
    const app = await streamsApp(options({ ...overrides, startFrom: 'beginning' }), {
      controllers: [idle(stream)],
    });
    // Like one that was given something once, and has waited in a read since then; and one that is gone.
    for (const name of ['alive', 'gone']) {
      await redis.client.xgroup('CREATECONSUMER', stream, GROUP, name);
    }
    await writeMember(redis.client, recordOf(stream, GROUP), 'alive', 60_000, '0.0.9');
    await writeMember(redis.client, recordOf(stream, GROUP), 'gone', -1, '0.0.9');
    const listed = async (): Promise<(readonly [string, number | undefined])[]> => {
      const { consumers } = await inspectionOf(app);
      return consumers.map(({ name, idleMs }) => [name, idleMs] as const);
    };
    await waitFor(async () => {
      const idleMs = new Map(await listed());
      return (idleMs.get('alive') ?? 0) > 1_000 && (idleMs.get('gone') ?? 0) > 1_000;
    });
    expect(await app.app.get(IdleConsumersJob).run()).toEqual({ removed: 1 });
    const names = (await listed()).map(([name]) => name);
    expect(names).toContain('alive');
    expect(names).not.toContain('gone');
  });

  it('removes no living member from a partition, whose record is with the whole stream', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      options({
        blockMs: 900,
        maintenance: { consumerIdleMs: 1_000 },
        streams: { [stream]: { partitions: 2 } },
      }),
      { controllers: [idle(stream)] },
    );
    const place = `{${stream}:1}`;
    await redis.client.xgroup('CREATECONSUMER', place, GROUP, 'alive');
    await writeMember(redis.client, recordOf(stream, GROUP), 'alive', 60_000, '0.0.9');
    await waitFor(async () => {
      const { consumers } = await inspectionOf(app);
      return (consumers.find(({ name }) => name === 'alive')?.idleMs ?? 0) > 1_000;
    });
    expect(await app.app.get(IdleConsumersJob).run()).toEqual({ removed: 0 });
    await redis.client.zrem(recordOf(stream, GROUP).members, 'alive');
    expect(await app.app.get(IdleConsumersJob).run()).toEqual({ removed: 1 });
  });
});

describe('a Redis that is full', () => {
  const full = redisForTests({ args: [] });

  it('lets members report that they are alive', async () => {
    // Few streams are renewed by one script, many by another.
    const apps = await Promise.all(
      [1, 12].map(async (count) => {
        const streams = Array.from({ length: count }, () => freshName('orders'));
        const app = await streamsApp(options({ connection: full.url }), {
          controllers: streams.map(idle),
        });
        const record = recordOf(streams[0] ?? '', GROUP);
        const { consumer } = app.monitor.getStats();
        return (): Promise<number> => aliveUntil(full.client, record, consumer);
      }),
    );
    await full.client.config('SET', 'maxmemory', '1');
    await expect(full.client.set('a', 'b')).rejects.toThrow('OOM');
    const before = Math.max(...(await Promise.all(apps.map((until) => until()))));
    await waitFor(async () => (await redisNow(full.client)) > before, PATIENCE);
    for (const until of apps) {
      await waitFor(async () => (await until()) > (await redisNow(full.client)), PATIENCE);
    }
    await full.client.config('SET', 'maxmemory', '0');
  });
});
