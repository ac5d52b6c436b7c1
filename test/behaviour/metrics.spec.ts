import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { Registry } from 'prom-client';

import {
  ClientRedisStreams,
  InvalidOptionsError,
  type RedisStreamsModuleOptions,
  StreamsMonitor,
} from '../../lib/index.js';
import {
  RedisStreamsMetricsModule,
  type RedisStreamsMetricsOptions,
} from '../../lib/telemetry/prometheus/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  moduleOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
const { proxy: newProxy } = clientsForTests(redis);
afterEach(() => {
  jest.restoreAllMocks();
});

const GROUP = 'billing';

/** Every exported metric with its type and labels: other people's dashboards and alerts rely on them. */
const EXPORTED: Record<string, readonly [string, ...string[]]> = {
  redis_streams_messages_handled_total: ['counter', 'group', 'outcome', 'stream'],
  redis_streams_published_total: ['counter', 'outcome', 'stream'],
  redis_streams_reconnects_total: ['counter', 'connection'],
  redis_streams_handler_duration_seconds: ['histogram', 'group', 'stream'],
  redis_streams_publish_to_handle_seconds: ['histogram', 'group', 'stream'],
  redis_streams_length: ['gauge', 'group', 'stream'],
  redis_streams_lag: ['gauge', 'group', 'stream'],
  redis_streams_oldest_unread_seconds: ['gauge', 'group', 'stream'],
  redis_streams_pending: ['gauge', 'group', 'stream'],
  redis_streams_oldest_pending_seconds: ['gauge', 'group', 'stream'],
  redis_streams_retries_waiting: ['gauge', 'group', 'stream'],
  redis_streams_dead_letters: ['gauge', 'group', 'stream'],
  redis_streams_ledger_entries: ['gauge', 'group', 'stream'],
  redis_streams_consumers: ['gauge', 'group', 'stream'],
  redis_streams_members_alive: ['gauge', 'group', 'stream', 'version'],
  redis_streams_retention_headroom_ratio: ['gauge', 'group', 'stream'],
  redis_streams_up: ['gauge'],
  redis_streams_in_flight: ['gauge', 'group', 'stream'],
  redis_streams_job_last_run_timestamp_seconds: ['gauge', 'scheduled_job'],
  redis_streams_job_last_duration_seconds: ['gauge', 'scheduled_job'],
  redis_streams_partitions_owned: ['gauge', 'group', 'stream'],
};

interface Sample {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

async function metricsApp(
  options: RedisStreamsModuleOptions,
  handlers: Parameters<typeof streamsApp>[1]['controllers'],
  moduleOptions: RedisStreamsMetricsOptions = {},
): Promise<StreamsApp & { registry: Registry; read: (name: string) => Promise<Sample[]> }> {
  const registry = new Registry();
  const app = await streamsApp(options, {
    controllers: handlers ?? [],
    imports: [RedisStreamsMetricsModule.forRoot({ registry, intervalMs: 0, ...moduleOptions })],
  });
  const read = async (name: string): Promise<Sample[]> => {
    const metric = await registry.getSingleMetric(name)?.get();
    return (metric?.values ?? []) as Sample[];
  };
  return { ...app, registry, read };
}

describe('metrics', () => {
  it('have these names, types and labels, and no others', async () => {
    const stream = freshName('orders');
    const spread = freshName('spread');
    const { registry, emit, read } = await metricsApp(
      {
        connection: redis.url,
        group: GROUP,
        streams: {
          [stream]: { retention: { maxAgeMs: 60_000 } },
          [spread]: { partitions: 2 },
        },
        retry: { backoff: { type: 'fixed', delayMs: 60_000 } },
        maintenance: { ledgerIntervalMs: 1_000 },
      },
      [
        handlerOf(spread, () => undefined),
        handlerOf(stream, () => {
          throw new Error('not yet');
        }),
      ],
    );
    await emit(stream, 1);
    await waitFor(async () => (await read('redis_streams_job_last_duration_seconds')).length === 1);
    await waitFor(async () => (await read('redis_streams_retention_headroom_ratio')).length === 1);
    const exported: Record<string, unknown> = {};
    for (const { name, type, values } of await registry.getMetricsAsJSON()) {
      const labels = values.flatMap((sample) => Object.keys(sample.labels));
      exported[name] = [String(type), ...new Set(labels.filter((label) => label !== 'le').sort())];
    }
    expect(exported).toEqual(EXPORTED);
    // Prometheus sets these itself, and renames those of a metric.
    const labels = Object.values(EXPORTED).flat();
    expect(labels.filter((label) => label === 'job' || label === 'instance')).toEqual([]);
  });

  it('count messages by outcome, and measure handlers and waiting', async () => {
    const stream = freshName('orders');
    const app = await metricsApp(
      {
        connection: redis.url,
        group: GROUP,
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1, jitter: 0 } },
      },
      [
        handlerOf<string>({ stream, name: stream }, (data) => {
          if (data === 'bad') throw new Error('bad');
        }),
      ],
    );
    await app.emit(stream, 'fine');
    await app.emit(stream, 'bad');
    await app.emit({ stream, name: 'other' }, 1);
    await addEntries(redis.client, stream, ['fine', 'fine'], 'twice');
    const byOutcome = async (name: string): Promise<Record<string, number>> => {
      const samples = (await app.read(name)).filter(({ labels }) => labels['stream'] === stream);
      return Object.fromEntries(samples.map(({ labels, value }) => [labels['outcome'], value]));
    };
    await waitFor(async () => {
      expect(await byOutcome('redis_streams_messages_handled_total')).toEqual({
        handled: 2,
        retried: 1,
        dead_letter: 1,
        duplicate: 1,
        unhandled: 1,
        lost: 0,
      });
      return true;
    });
    expect(await byOutcome('redis_streams_published_total')).toEqual({ published: 3 });
    const counted = async (name: string): Promise<number | undefined> =>
      (await app.read(name)).find(({ metricName }) => metricName === `${name}_count`)?.value;
    expect(await counted('redis_streams_handler_duration_seconds')).toBe(4);
    expect(await counted('redis_streams_publish_to_handle_seconds')).toBe(3);
    await waitFor(async () => (await app.read('redis_streams_dead_letters'))[0]?.value === 1);
    expect(await app.read('redis_streams_ledger_entries')).toMatchObject([
      { labels: { stream, group: GROUP }, value: 3 },
    ]);
    expect(await app.read('redis_streams_in_flight')).toMatchObject([{ value: 0 }]);
  });

  it('count from 0, so that the first occurrence is seen as an increase', async () => {
    const stream = freshName('orders');
    const proxy = await newProxy();
    const app = await metricsApp({ connection: proxy.url, group: GROUP }, [
      handlerOf(stream, () => undefined),
    ]);
    const lost = async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        (await app.read('redis_streams_reconnects_total')).map((each) => [
          each.labels['connection'],
          each.value,
        ]),
      );
    expect(await lost()).toEqual({ commands: 0, blocking: 0, client: 0 });
    proxy.resetAll();
    await waitFor(async () => {
      const { commands = 0, blocking = 0 } = await lost();
      return commands > 0 && blocking > 0;
    });
  });

  it('count only this app’s server, and name at most a bounded number of streams that it publishes to', async () => {
    const stream = freshName('orders');
    const app = await metricsApp({ connection: redis.url, group: GROUP }, [
      handlerOf(stream, () => undefined),
    ]);
    const other = await metricsApp({ connection: redis.url, group: 'shipping' }, [
      handlerOf(stream, () => undefined),
    ]);
    await app.emit(stream, 1);
    const samples = (): Promise<Sample[][]> =>
      Promise.all([app, other].map(({ read }) => read('redis_streams_messages_handled_total')));
    const handled = async (): Promise<unknown[]> =>
      (await samples()).map((each) =>
        each.filter(({ value }) => value === 1).map(({ labels }) => labels['group']),
      );
    await waitFor(async () => (await handled()).flat().length === 2);
    expect(await handled()).toEqual([[GROUP], ['shipping']]);
    const client = app.app.get(ClientRedisStreams);
    await Promise.all(
      [...Array(120).keys()]
        .map((n) => client.emit(`${stream}-${n}`, 1))
        .map((sent) => new Promise((resolve) => sent.subscribe(resolve))),
    );
    const published = await app.read('redis_streams_published_total');
    expect(published).toHaveLength(101);
    expect(published.find(({ labels }) => labels['stream'] === '_other')?.value).toBe(21);
  });

  it('ask Redis once for everything that is read together, and not again within the interval', async () => {
    const stream = freshName('orders');
    const app = await metricsApp(
      { connection: redis.url, group: GROUP },
      [handlerOf(stream, () => undefined)],
      { intervalMs: 60_000 },
    );
    const asked = jest.spyOn(app.app.get(StreamsMonitor), 'inspect');
    await app.registry.metrics();
    await app.registry.metrics();
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('leave out what only Redis knows if Redis does not answer, and log that', async () => {
    const stream = freshName('orders');
    const proxy = await newProxy();
    const app = await metricsApp(
      { connection: proxy.url, group: GROUP },
      [handlerOf(stream, () => undefined)],
      { timeoutMs: 500 },
    );
    await waitFor(async () => (await app.read('redis_streams_up'))[0]?.value === 1);
    expect(await app.read('redis_streams_pending')).toHaveLength(1);
    proxy.freeze();
    expect(await app.read('redis_streams_up')).toMatchObject([{ value: 0 }]);
    expect(await app.read('redis_streams_pending')).toHaveLength(0);
    expect(await app.read('redis_streams_in_flight')).toHaveLength(1);
    proxy.thaw();
    await waitFor(async () => (await app.read('redis_streams_up'))[0]?.value === 1);
    await app.close();
    expect(await app.registry.getMetricsAsJSON()).toEqual([]);
  });

  it('need RedisStreamsModule and valid options', async () => {
    const registry = new Registry();
    const start = (options: object): Promise<unknown> =>
      NestFactory.createApplicationContext(
        moduleOf([RedisStreamsMetricsModule.forRoot({ registry, ...options })], {}),
        { logger: recordedLog, abortOnError: false },
      );
    await expect(start({})).rejects.toThrow('needs RedisStreamsModule');
    await expect(start({ intervalMs: -1 })).rejects.toThrow(InvalidOptionsError);
    await expect(start({ interval: 1 })).rejects.toThrow('metrics.interval');
    await expect(start({ registry: {} })).rejects.toThrow('metrics.registry');
    await expect(start({ timeoutMs: 0 })).rejects.toThrow('metrics.timeoutMs');
  });
});

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource: unknown;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: unknown;
  }[];
}

describe('the Grafana dashboard', () => {
  const dashboard = async () =>
    JSON.parse(
      await readFile(new URL('../../docs/grafana-dashboard.json', import.meta.url), 'utf8'),
    );

  it('can be imported: the user chooses the data source, and no panels overlap', async () => {
    const { schemaVersion, title, uid, templating, panels, id } = await dashboard();
    // Grafana assigns the ID; an existing dashboard with this ID would be overwritten.
    expect([typeof schemaVersion, typeof title, typeof uid, id]).toEqual([
      'number',
      'string',
      'string',
      undefined,
    ]);
    const variables = templating.list as { name: string; type: string; query: unknown }[];
    expect(variables.find(({ type }) => type === 'datasource')).toMatchObject({
      name: 'datasource',
      query: 'prometheus',
    });
    const known = ['$__rate_interval', ...variables.map(({ name }) => `$${name}`)];
    const source = { type: 'prometheus', uid: '${datasource}' };
    const places = new Set<string>();
    for (const { type, title: panel, datasource, gridPos, targets } of panels as Panel[]) {
      expect([panel, type]).toEqual([panel, expect.stringMatching(/^(stat|timeseries)$/)]);
      expect([panel, datasource, ...targets.map((target) => target.datasource)]).toEqual([
        panel,
        source,
        ...targets.map(() => source),
      ]);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const { expr } of targets) {
        for (const [name] of expr.matchAll(/\$\w+/g)) expect(known).toContain(name);
      }
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([panel, places.has(`${x} ${y}`)]).toEqual([panel, false]);
          places.add(`${x} ${y}`);
        }
      }
    }
    const ids = (panels as Panel[]).map((panel) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('queries only exported metrics, and shows all of them', async () => {
    const { panels, templating, uid } = await dashboard();
    expect(uid).toBe('nestjs-redis-streams');
    expect(panels.length).toBeGreaterThan(10);
    const ofPanels: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.map(({ expr }) => expr),
    );
    const ofVariables: string[] = templating.list.flatMap(
      ({ query }: { query?: { query?: string } }) => query?.query ?? [],
    );
    const asked = ofPanels.concat(ofVariables);
    const names = asked.flatMap((expr) => expr.match(/redis_streams_\w+/g) ?? []);
    const plain = names.map((name) => {
      const base = name.replace(/_(bucket|sum|count)$/, '');
      return EXPORTED[base]?.[0] === 'histogram' ? base : name;
    });
    expect([...new Set(plain)].sort()).toEqual(Object.keys(EXPORTED).sort());
    // By labels that the metric has, too.
    for (const expr of asked) {
      for (const [, name = '', labels = ''] of expr.matchAll(/(redis_streams_\w+)\{([^}]*)\}/g)) {
        const known = EXPORTED[name] ?? EXPORTED[name.replace(/_(bucket|sum|count)$/, '')] ?? [];
        for (const [, label] of labels.matchAll(/(\w+)=/g)) expect(known).toContain(label);
      }
      const [, by = ''] = /\bby \(([^)]*)\)/.exec(expr) ?? [];
      const [, name = ''] = /(redis_streams_\w+)/.exec(expr) ?? [];
      const known: readonly string[] =
        EXPORTED[name] ?? EXPORTED[name.replace(/_(bucket|sum|count)$/, '')] ?? [];
      const labels = by.split(/, */).filter((label) => label !== '' && label !== 'le');
      expect(labels.filter((label) => !known.includes(label))).toEqual([]);
    }
  });
});
