import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { Cluster } from 'ioredis';
import { firstValueFrom, lastValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  IdleConsumersJob,
  LedgerMaintenanceJob,
  RedisStreamsRecordBuilder,
  type RedisStreamsModuleOptions,
  RetentionJob,
} from '../../lib/index.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { answeringController } from '../support/answering-controller.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { recordedLog } from '../support/recorded-log.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const PATIENCE = { timeoutMs: 60_000 };
const withCluster = (await canHaveCluster()) ? describe : describe.skip;
closeAppsAfterEach();

const freshNames = (...names: string[]): string[] => names.map((name) => freshName(name));

withCluster('on a Redis Cluster', () => {
  const servers = clusterForTests();
  const start = (
    controllers: Type[],
    options: Partial<RedisStreamsModuleOptions> = {},
  ): Promise<StreamsApp> =>
    streamsApp({ connection: servers.redis.connection, group: GROUP, ...options }, { controllers });
  /** The names of the open connections, on all nodes. */
  const connectionNames = async (part: string): Promise<string[]> => {
    const lists = await Promise.all(
      servers.redis.nodes.map(({ client }) => client.client('LIST') as Promise<string>),
    );
    const names = lists.join('\n').match(/(?<= name=)\S+/g) ?? [];
    return names.filter((name) => name.includes(part));
  };

  it('streams in different slots are read concurrently, each on its own connection', async () => {
    const streams = freshNames('orders', 'payments', 'invoices', 'parcels', 'returns');
    const handled: string[] = [];
    const app = await start(
      streams.map((stream) =>
        handlerOf<number>(stream, (n) => void handled.push(`${stream}:${n}`)),
      ),
      { consumer: freshName('billing-0') },
    );
    const { consumer } = app.monitor.getStats();
    const sent = streams.flatMap((stream) => [1, 2, 3].map((n) => ({ stream, n })));
    await Promise.all(sent.map(({ stream, n }) => app.emit(stream, n)));
    await waitFor(() => handled.length >= sent.length, PATIENCE);
    expect(handled).toHaveLength(sent.length);
    for (const stream of streams) {
      expect(handled.filter((each) => each.startsWith(stream))).toEqual(
        [1, 2, 3].map((n) => `${stream}:${n}`),
      );
    }
    expect(await connectionNames(`${consumer}:blocking:`)).toHaveLength(streams.length);
    await app.close();
    await waitFor(async () => (await connectionNames(consumer)).length === 0, PATIENCE);
  });

  it('streams with the same tag are in one slot, and are read on one connection', async () => {
    const keyPrefix = `{${freshName('eu')}}:`;
    const streams = ['orders', 'payments', 'invoices'];
    const handled: string[] = [];
    const app = await start(
      streams.map((stream) => handlerOf(stream, () => void handled.push(stream))),
      { keyPrefix },
    );
    const { consumer } = app.monitor.getStats();
    await Promise.all(streams.map((stream) => app.emit(stream, 1)));
    await waitFor(() => handled.length === 3, PATIENCE);
    expect(await connectionNames(`${consumer}:blocking:`)).toHaveLength(1);
  });

  it('a message that was published twice is handled once', async () => {
    const [stream = ''] = freshNames('orders');
    const handled: number[] = [];
    const app = await start([handlerOf<number>(stream, (n) => void handled.push(n))]);
    const record = (n: number): unknown =>
      new RedisStreamsRecordBuilder(n).setMessageId('message-1').build();
    const first = await app.emit(stream, record(1));
    const second = await app.emit(stream, record(2));
    expect(second).toEqual({ ...first, duplicate: true });
    const client = servers.redis.client;
    await client.xadd(stream, '*', 'name', stream, 'body', '3', 'id', 'message-1');
    await app.emit(stream, 4);
    await waitFor(() => handled.includes(4), PATIENCE);
    expect(handled).toEqual([1, 4]);
  });

  it('many concurrent messages to several streams arrive in order', async () => {
    const streams = freshNames('orders', 'payments', 'invoices');
    const handled = new Map<string, number[]>(streams.map((stream) => [stream, []]));
    const app = await start(
      streams.map((stream) => handlerOf<number>(stream, (n) => void handled.get(stream)?.push(n))),
    );
    const items = Array.from({ length: 1_000 }, (_, n) => n);
    await Promise.all(streams.map((each) => firstValueFrom(app.client.emitBatch(each, items))));
    for (const stream of streams) {
      await waitFor(() => handled.get(stream)?.length === items.length, PATIENCE);
      expect(handled.get(stream)).toEqual(items);
    }
  });

  it.each([
    ['remembered', {}],
    ['not remembered', { publishDedup: false } as const],
  ])('one by one, if message IDs are %s, they arrive in order', async (_, options) => {
    const [stream = ''] = freshNames('orders');
    const handled: number[] = [];
    const app = await start([handlerOf<number>(stream, (n) => void handled.push(n))], options);
    const items = Array.from({ length: 300 }, (__, n) => n);
    const sent = items.map(async (n) => {
      if (n % 10 === 0) await new Promise(setImmediate);
      return n;
    });
    for (const n of sent) void app.emit(stream, await n);
    await waitFor(() => handled.length === items.length, PATIENCE);
    expect(handled).toEqual(items);
  });

  it('a failed message is retried, becomes a dead letter, and is redriven', async () => {
    const [stream = ''] = freshNames('orders');
    const attempts: number[] = [];
    let fails = true;
    const app = await start(
      [
        handlerOf(stream, (__, context) => {
          attempts.push(context.getAttempt());
          if (fails) throw new Error('no');
        }),
      ],
      { retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 100, jitter: 0 } } },
    );
    await app.emit(stream, 1);
    const deadLetters = app.app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 1, PATIENCE);
    expect(attempts).toEqual([1, 2]);
    fails = false;
    expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 1 });
    await waitFor(async () => (await deadLetters.count({ stream })) === 0, PATIENCE);
    expect(attempts).toEqual([1, 2, 1]);
  });

  it('a delayed message is published or cancelled', async () => {
    const streams = freshNames('orders', 'payments', 'invoices');
    const handled: string[] = [];
    const app = await start(
      streams.map((stream) => handlerOf(stream, () => void handled.push(stream))),
    );
    const later = (delayMs: number): RedisStreamsRecordBuilder<number> =>
      new RedisStreamsRecordBuilder(1).setDelayMs(delayMs);
    await Promise.all(streams.map((stream) => app.emit(stream, later(300).build())));
    await waitFor(() => handled.length === 3, PATIENCE);
    expect([...handled].sort()).toEqual([...streams].sort());
    const [stream = ''] = streams;
    const { messageId } = await app.emit(stream, later(60_000).build());
    expect(await app.client.cancel(stream, messageId)).toBe(true);
    expect(await app.client.cancel(stream, messageId)).toBe(false);
  });

  it('a request is answered', async () => {
    const streams = freshNames('quote', 'rate');
    const app = await start(
      streams.map((stream) => answeringController<number>(stream, (n) => n * 2)),
    );
    const answers = streams.map((stream) => lastValueFrom(app.client.send(stream, 21)));
    expect(await Promise.all(answers)).toEqual([42, 42]);
  });

  it('wildcards find existing and later streams on all nodes', async () => {
    const keyPrefix = `${freshName('dev')}:`;
    const handled: string[] = [];
    const app = await start(
      [handlerOf('orders.*', (_, context) => void handled.push(context.getStream()))],
      { keyPrefix, discoveryIntervalMs: 200, startFrom: 'beginning' },
    );
    const streams = ['eu', 'us', 'ap', 'sa', 'af', 'me'].map((region) => `orders.${region}`);
    await Promise.all(streams.map((stream) => app.emit(stream, 1)));
    await waitFor(() => handled.length === streams.length, PATIENCE);
    expect([...handled].sort()).toEqual([...streams].sort());
    const { consumer } = app.monitor.getStats();
    expect(await connectionNames(`${consumer}:blocking:`)).toHaveLength(streams.length);
    // A stream that is gone needs no connection any more.
    await servers.redis.client.del(`${keyPrefix}orders.eu`);
    await waitFor(
      async () => (await connectionNames(`${consumer}:blocking:`)).length === streams.length - 1,
      PATIENCE,
    );
  });

  it('wildcards hear of new streams on all nodes', async () => {
    const keyPrefix = `${freshName('dev')}:`;
    const handled: string[] = [];
    const app = await start(
      [handlerOf('orders.*', (_, context) => void handled.push(context.getStream()))],
      { keyPrefix, discoveryIntervalMs: 2_000_000 },
    );
    const channel = `stream:new-streams:${keyPrefix}`;
    await waitFor(async () => {
      const listening = servers.redis.nodes.map(({ client }) => client.pubsub('NUMSUB', channel));
      return (await Promise.all(listening)).flat().includes(1);
    }, PATIENCE);
    const streams = ['eu', 'us', 'ap', 'sa'].map((region) => `orders.${region}`);
    await Promise.all(streams.map((stream) => app.emit(stream, 1)));
    await waitFor(() => handled.length === streams.length, PATIENCE);
    expect([...handled].sort()).toEqual([...streams].sort());
  });

  it('the jobs and the monitor reach each stream', async () => {
    const streams = freshNames('orders', 'payments', 'invoices');
    const handled: string[] = [];
    const app = await start(
      streams.map((stream) => handlerOf(stream, () => void handled.push(stream))),
      {
        dedup: { windowMs: 3_000 },
        streams: Object.fromEntries(
          streams.map((each) => [each, { retention: { maxLength: 10 } }]),
        ),
      },
    );
    const items = Array.from({ length: 250 }, (_, n) => n);
    await Promise.all(streams.map((each) => firstValueFrom(app.client.emitBatch(each, items))));
    await waitFor(() => handled.length === 750, PATIENCE);
    const { streams: seen } = await waitFor(async () => {
      const inspection = await app.monitor.inspect();
      return inspection.streams.every(({ pending }) => pending === 0) && inspection;
    }, PATIENCE);
    expect(seen.map(({ stream, length, ledgerSize }) => ({ stream, length, ledgerSize }))).toEqual(
      streams.map((stream) => ({ stream, length: 250, ledgerSize: 250 })),
    );
    // The entries in whole nodes of a stream, a hundred each.
    const { removed } = await app.app.get(RetentionJob).run();
    expect(removed).toBeGreaterThanOrEqual(600);
    expect(await app.app.get(IdleConsumersJob).run()).toEqual({ removed: 0 });
    await waitFor(async () => {
      await app.app.get(LedgerMaintenanceJob).run();
      const left = streams.map((stream) =>
        servers.redis.client.zcard(streamKeys('', stream, GROUP).ledger),
      );
      return (await Promise.all(left)).every((size) => size === 0);
    }, PATIENCE);
  });

  it('members count as alive in each slot exactly as long as they run', async () => {
    const [spread = '', ...streams] = freshNames('spread', 'orders', 'payments', 'invoices');
    const app = await start(
      [spread, ...streams].map((stream) => handlerOf(stream, () => undefined)),
      { recovery: { minIdleMs: 1_000, intervalMs: 200 }, streams: { [spread]: { partitions: 3 } } },
    );
    const { consumer, version } = app.monitor.getStats();
    const untils = async (): Promise<number[]> => {
      const rows = [spread, ...streams].map((stream) =>
        servers.redis.client.zscore(streamKeys('', stream, GROUP).members, consumer),
      );
      return (await Promise.all(rows)).map(Number);
    };
    // The time of its first report has passed: it has reported again.
    const first = await untils();
    await waitFor(async () => (await untils()).every((until, n) => until > first[n]! + 5_000), {
      timeoutMs: 60_000,
    });
    const { streams: seen } = await app.monitor.inspect();
    expect(seen.map(({ membersAlive }) => membersAlive)).toEqual([1, 1, 1, 1]);
    for (const { consumers } of seen) {
      expect(consumers).toMatchObject([{ name: consumer, isAlive: true, version }]);
    }
    await app.close();
    expect(await untils()).toEqual([0, 0, 0, 0]);
  });

  it('closing ends the blocked reads of all slots at once, and nothing stays pending', async () => {
    const streams = freshNames('orders', 'payments', 'invoices', 'parcels');
    const handled: string[] = [];
    const app = await start(
      streams.map((stream) => handlerOf(stream, () => void handled.push(stream))),
      { blockMs: 60_000 },
    );
    await Promise.all(streams.map((stream) => app.emit(stream, 1)));
    await waitFor(() => handled.length === 4, PATIENCE);
    expect(await timeWithoutStalls(app.close())).toBeLessThan(2_000);
    for (const stream of streams) {
      // A name that will never be used again is removed from the group.
      const rows = (await servers.redis.client.xinfo('CONSUMERS', stream, GROUP)) as unknown[];
      expect(rows).toEqual([]);
    }
  });

  it('a Cluster of the caller carries the commands, never blocks, and stays open', async () => {
    const { port } = servers.redis.nodes[0]?.server ?? { port: 0 };
    const cluster = new Cluster([{ host: '127.0.0.1', port }]);
    const [stream = ''] = freshNames('orders');
    const handled: number[] = [];
    const app = await start([handlerOf<number>(stream, (n) => void handled.push(n))], {
      connection: cluster,
    });
    await app.emit(stream, 1);
    await waitFor(() => handled.length === 1, PATIENCE);
    expect(app.server.unwrap()[0]).toBe(cluster);
    await app.close();
    expect(await cluster.xlen(stream)).toBe(1);
    cluster.disconnect();
  });

  it('a factory can make the Cluster', async () => {
    const { port } = servers.redis.nodes[0]?.server ?? { port: 0 };
    const [stream = ''] = freshNames('orders');
    const handled: number[] = [];
    const app = await start([handlerOf<number>(stream, (n) => void handled.push(n))], {
      connection: ({ options }) =>
        new Cluster([{ host: '127.0.0.1', port }], { redisOptions: options }),
    });
    await app.emit(stream, 1);
    await waitFor(() => handled.length === 1, PATIENCE);
  });

  it('a client that finds no node says so, without the password', async () => {
    const client = new ClientRedisStreams({
      connection: {
        cluster: [{ host: '127.0.0.1', port: 1 }],
        options: { redisOptions: { password: 'secret' } },
      },
      publishTimeoutMs: 500,
    });
    const error: unknown = await firstValueFrom(client.emit('orders', 1)).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ ambiguous: false });
    expect(JSON.stringify(error)).not.toContain('secret');
    await client.close();
  });
});

withCluster('on a Redis Cluster whose passwords change', () => {
  // The rights that docs/security.md lists for a cluster are enough.
  const rights = '~* &* +@all -cluster +cluster|slots +cluster|info'.split(' ');
  const servers = clusterForTests(['--user', 'app', 'on', '>first', ...rights]);

  it('credentials are requested for each connection, also to nodes that are discovered later', async () => {
    const [stream = ''] = freshNames('orders');
    const given: string[] = [];
    let password = 'first';
    const { cluster } = servers.redis.connection;
    const handled: number[] = [];
    const app = await streamsApp(
      {
        connection: {
          cluster: cluster.slice(0, 1),
          credentials: () => {
            given.push(password);
            return Promise.resolve({ username: 'app', password });
          },
        },
        group: GROUP,
        blockMs: 500,
      },
      { controllers: [handlerOf<number>(stream, (n) => void handled.push(n))] },
    );
    await app.emit(stream, 1);
    await waitFor(() => handled.length === 1, PATIENCE);
    const lists = await Promise.all(servers.redis.nodes.map(({ client }) => client.client('LIST')));
    const ofApp = lists.join('\n').match(/name=nestjs-redis-streams:client .*user=app/g) ?? [];
    expect(ofApp.length).toBeGreaterThan(0);

    password = 'second';
    for (const { client } of servers.redis.nodes) {
      await client.call('ACL', 'SETUSER', 'app', 'resetpass', '>second');
      await client.call('CLIENT', 'KILL', 'USER', 'app');
    }
    await app.emit(stream, 2);
    await waitFor(() => handled.length === 2, PATIENCE);
    expect(given).toContain('second');
    expect(JSON.stringify(recordedLog.lines)).not.toMatch(/"[^"]*(first|second)[^"]*"/);
  });
});
