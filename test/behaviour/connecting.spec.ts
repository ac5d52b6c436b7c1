import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import {
  ClientRedisStreams,
  type ConnectionOption,
  type ConnectionRequest,
  DeadLetters,
  ServerRedisStreams,
} from '../../lib/index.js';
import { keepHealthy } from '../../lib/redis/connect/connection.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const clients = new Set<ClientRedisStreams>();
const proxies = new Set<TcpProxy>();

afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()));
  await Promise.all([...proxies].map((proxy) => proxy.close()));
  clients.clear();
  proxies.clear();
});

function clientFor(connection: ConnectionOption): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection });
  clients.add(client);
  return client;
}

async function proxied(): Promise<TcpProxy> {
  const proxy = await tcpProxy(redis.url);
  proxies.add(proxy);
  return proxy;
}

const address = (url: string): { host: string; port: number } => {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
};

interface Reading extends StreamsApp {
  readonly stream: string;
  readonly got: unknown[];
}

/** An app that reads one stream. */
async function reading(connection: ConnectionOption, blockMs = 5_000): Promise<Reading> {
  const stream = freshName('orders');
  const got: unknown[] = [];
  const app = await streamsApp(
    { connection, group: GROUP, blockMs, consumer: freshName('member') },
    { controllers: [handlerOf(stream, (data) => void got.push(data))] },
  );
  return { ...app, stream, got };
}

/** How many of the messages arrive, and how many dead letters there are. */
async function roundTrip(connection: ConnectionOption): Promise<unknown[]> {
  const { stream, got, emit, close } = await reading(connection);
  await emit(stream, { text: 'a', bytes: 1.5 });
  await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  const deadLetters = new DeadLetters({ connection, group: GROUP });
  const dead = await deadLetters.count({ stream });
  await deadLetters.onApplicationShutdown();
  await close();
  return [...got, dead];
}

describe('a connection can be given as', () => {
  it('a URL, options, a URL with options, and a function', async () => {
    const { host, port } = address(redis.url);
    const forms: ConnectionOption[] = [
      redis.url,
      { host, port, keepAlive: 5_000, noDelay: true, connectTimeout: 2_000 },
      { url: redis.url, socketTimeout: 500 },
      ({ options }) => new Redis(redis.url, options),
    ];
    for (const form of forms) {
      expect(await roundTrip(form)).toEqual([{ text: 'a', bytes: 1.5 }, 0]);
    }
  });

  it('a function, which is called for each role; missing settings are added', async () => {
    const asked: ConnectionRequest[] = [];
    const made: Redis[] = [];
    const { stream, got, emit, close } = await reading((request) => {
      asked.push(request);
      const client = new Redis(redis.url, { commandTimeout: 20 });
      made.push(client);
      return client;
    }, 200);
    await emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    expect(asked.map(({ role }) => role).sort()).toEqual(['blocking', 'commands', 'publish']);
    expect(made.map(({ options }) => options.maxRetriesPerRequest)).toEqual([null, 0, 0]);
    expect(made.map(({ options }) => options.connectionName)).toEqual(
      asked.map(({ name }) => name),
    );
    await close();
    await waitFor(() => made.every(({ status }) => status === 'end'));
  });

  it('a function that returns one instance twice, or a promise, is refused', async () => {
    const mine = new Redis(redis.url, { lazyConnect: true });
    await expect(reading(() => mine)).rejects.toThrow(/an instance that it gave before/);
    const promised = (() => Promise.resolve(mine)) as unknown as () => Redis;
    await expect(firstValueFrom(clientFor(promised).emit('orders', {}))).rejects.toThrow(
      /connection\(\)": given a promise/,
    );
    mine.disconnect();
  });

  it.each([2, 3] as const)('options with RESP %i: the results are the same', async (protocol) => {
    const { host, port } = address(redis.url);
    const stream = freshName('orders');
    const connection = { host, port, protocol };
    const attempts: number[] = [];
    const app = await streamsApp(
      { connection, group: GROUP, retry: { maxAttempts: 2, backoff: { delayMs: 1 } } },
      {
        controllers: [
          handlerOf<{ ok: boolean }>(stream, ({ ok }, context) => {
            attempts.push(context.getAttempt());
            if (!ok) throw new Error('no');
          }),
        ],
      },
    );
    expect(await app.emit(stream, { ok: true })).toMatchObject({ stream, duplicate: false });
    const { messageId } = await app.emit(stream, { ok: false });
    const deadLetters = app.app.get(DeadLetters);
    const [letter] = await waitFor(async () => {
      const page = await deadLetters.list({ stream });
      return page.length === 1 && page;
    });
    expect(letter).toMatchObject({ messageId, payload: { ok: false }, attempts: 2 });
    expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 1 });
    await waitFor(() => attempts.length === 5);
    expect(await deadLetters.purge({ stream })).toBeDefined();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(attempts.slice(0, 3)).toEqual([1, 1, 2]);
  });
});

describe('connections', () => {
  it('are two for each server, one of them blocking, and have names', async () => {
    const { server, stream, emit } = await reading(redis.url);
    await emit(stream, { n: 1 });
    const list = String(await redis.client.client('LIST'));
    const own = list
      .split('\n')
      .filter((line) => line.includes(` name=${server.options.consumer}:`));
    expect(own.map((line) => / name=\S*:(\w+)/.exec(line)?.[1]).sort()).toEqual([
      'blocking',
      'commands',
    ]);
    expect(list).toContain(' name=nestjs-redis-streams:client');
  });

  it('that died silently while idle are detected and replaced', async () => {
    const proxy = await proxied();
    const blockMs = 300;
    const url = proxy.url;
    const { stream, got, emit } = await reading(
      { url, healthCheckIntervalMs: 200, socketTimeout: 500 },
      blockMs,
    );
    await emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    const before = logged('warn', 'Socket timeout').length;
    proxy.deaden();
    const noticed = waitFor(() => logged('warn', 'Socket timeout').length >= before + 3);
    // The interval plus the time allowed for an answer.
    expect(await timeWithoutStalls(noticed)).toBeLessThan(200 + 500 + blockMs + 1_500);
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '{"n":2}');
    expect(await timeWithoutStalls(waitFor(() => got.length === 2))).toBeLessThan(2_000);
    await emit(stream, { n: 3 });
    await waitFor(() => got.length === 3);
  });

  it('are pinged, and dropped if there is no answer', async () => {
    const proxy = await proxied();
    const client = new Redis(proxy.url);
    const errors: string[] = [];
    client.on('error', ({ message }: Error) => errors.push(message));
    keepHealthy(client, 100, 300);
    await client.ping();
    proxy.deaden();
    expect(await timeWithoutStalls(waitFor(() => errors.length === 1))).toBeLessThan(1_500);
    expect(errors).toEqual(['no answer within 300 ms']);
    await waitFor(() => client.status === 'ready');
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });

  it('to a slow Redis are left alone', async () => {
    const { server, stream, got, emit } = await reading(
      { url: redis.url, healthCheckIntervalMs: 100, socketTimeout: 1_500 },
      100,
    );
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    await redis.client.call('CLIENT', 'PAUSE', '700', 'ALL');
    await emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    expect(new Set(statuses)).toEqual(new Set(['connected']));
  });
});

describe('a function for connections that throws what is no error', () => {
  const connection = (): never => {
    const nothing: unknown = undefined;
    throw nothing;
  };

  it('keeps the server from starting, and a client from publishing, with an error', async () => {
    const server = new ServerRedisStreams({ group: GROUP, connection });
    const error = await new Promise((resolve) => void server.listen(resolve));
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toContain('connection() threw no error, but undefined');
    await server.close();
    const emitted = firstValueFrom(clientFor(connection).emit(freshName('orders'), 1));
    await expect(emitted).rejects.toThrow('connection() threw no error, but undefined');
  });
});
