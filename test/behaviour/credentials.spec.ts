import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import { ClientRedisStreams, type ConnectionOption, DeadLetters } from '../../lib/index.js';
import { connectionFor } from '../../lib/redis/connect/connection.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { freshName } from '../support/fresh-name.js';
import { ownRedis } from '../support/own-redis.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const withOwn = (await ownRedis()) === 'none' ? describe.skip : describe;
const GROUP = 'billing';
closeAppsAfterEach();

let server: StartedRedis;
let look: Redis;
let printed: string;

beforeEach(() => {
  printed = '';
  for (const method of ['log', 'warn', 'error'] as const) {
    jest.spyOn(console, method).mockImplementation((...args) => void (printed += inspect(args)));
  }
});
afterEach(async () => {
  jest.restoreAllMocks();
  look.disconnect();
  await server.stop();
});

async function start(...args: string[]): Promise<void> {
  server = await startRedis({ args });
  look = new Redis(server.url);
  look.on('error', () => undefined);
}

const setPassword = (password: string): Promise<unknown> =>
  look.call('ACL', 'SETUSER', 'app', 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all');
const dropConnections = (): Promise<unknown> =>
  look.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

async function reading(connection: ConnectionOption) {
  const stream = freshName('orders');
  const got: unknown[] = [];
  const app = await streamsApp(
    { connection, group: GROUP },
    { controllers: [handlerOf(stream, (data) => void got.push(data))] },
  );
  return { ...app, stream, got };
}

withOwn('credentials that are a function', () => {
  it('are requested for each connection and each reconnect', async () => {
    await start();
    await setPassword('token-1');
    let token = 'token-1';
    let asked = 0;
    const connection: ConnectionOption = {
      url: server.url,
      credentials: async () => {
        asked++;
        return { username: 'app', password: token };
      },
    };
    const { stream, got, emit } = await reading(connection);
    await emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    expect(asked).toBe(3);
    token = 'token-2';
    await setPassword(token);
    await dropConnections();
    await emit(stream, { n: 2 });
    await waitFor(() => got.length === 2);
    await waitFor(() => asked === 6);
  });

  it('that fail are requested again, and the log says why', async () => {
    await start();
    await setPassword('token');
    let asked = 0;
    const { stream, got, emit } = await reading({
      url: server.url,
      healthCheckIntervalMs: false,
      connectTimeout: 300,
      credentials: () => {
        asked++;
        if (asked <= 3) throw new Error('the vault is closed');
        if (asked <= 6) return Promise.reject(new Error('the vault is on fire'));
        if (asked <= 8) return new Promise(() => undefined);
        if (asked === 9) return {} as { password: string };
        return { username: 'app', password: 'token' };
      },
    });
    await emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    expect(logged('warn', 'no credentials: the vault is closed')).not.toEqual([]);
    expect(asked).toBeGreaterThan(9);
  });

  it('that never resolve do not keep a connection from closing, at start and at a reconnect', async () => {
    await start();
    await setPassword('token');
    let hangs = true;
    const connection: ConnectionOption = {
      url: server.url,
      credentials: () =>
        hangs ? new Promise(() => undefined) : { username: 'app', password: 'token' },
    };
    const first = connectionFor(connection, 'commands', 'first').client;
    const given = first.connect().catch((error: unknown) => error);
    first.disconnect();
    expect(String(await given)).toContain('Connection is closed');
    expect(first.status).toBe('end');

    hangs = false;
    const second = connectionFor(connection, 'commands', 'second').client;
    await second.connect();
    hangs = true;
    await dropConnections();
    await waitFor(() => second.status === 'reconnecting');
    const waiting = second.get('key').catch((error: unknown) => error);
    // The request is under way once the delay is over.
    await new Promise((resolve) => setTimeout(resolve, 150));
    second.disconnect();
    await waitFor(() => second.status === 'end');
    expect(String(await waiting)).toContain('Connection is closed');
  });
});

withOwn('a secret', () => {
  const SECRET = 'hunter2-hunter2';

  /** Everything that anybody may have seen. */
  const seen = (more: unknown): string =>
    inspect([recordedLog.lines, more], { depth: 20, maxStringLength: null }) + printed;

  it.each<[string, string[], (url: string) => ConnectionOption]>([
    ['a wrong password in a URL', [], (url) => url.replace('//', `//app:${SECRET}@`)],
    [
      'a wrong password with RESP 3',
      [],
      (url) => ({ url, username: 'app', password: SECRET, protocol: 3 }),
    ],
    [
      'a wrong password of a function',
      [],
      (url) => ({ url, credentials: () => ({ username: 'app', password: SECRET }) }),
    ],
    [
      'a Redis without AUTH, which repeats what it does not know',
      ['--rename-command', 'AUTH', 'X-AUTH'],
      (url) => url.replace('//', `//app:${SECRET}@`),
    ],
    [
      'an instance of the caller',
      [],
      (url) =>
        new Redis(url, {
          username: 'app',
          password: SECRET,
          lazyConnect: true,
          disconnectTimeout: 50,
        }),
    ],
  ])('is in no log, error, event or metric: %s', async (_, args, connectionOf) => {
    await start(...args);
    const connection = connectionOf(server.url);
    const errors: unknown[] = [];
    const client = new ClientRedisStreams({ connection, publishTimeoutMs: 300 });
    client.on('error', (error) => errors.push(error));
    const deadLetters = new DeadLetters({ connection, group: GROUP });
    await firstValueFrom(client.emit('orders', { n: 1 })).catch((error) => errors.push(error));
    const listed = deadLetters.list({ stream: 'orders' }).catch((error) => errors.push(error));
    let closed = false;
    const starting = streamsApp(
      { connection, group: GROUP },
      {
        controllers: [handlerOf(freshName('orders'), () => undefined)],
        before: (app) => {
          const { close } = { close: () => app.close() };
          errors.push(app.get(ClientRedisStreams) === undefined);
          void waitFor(() => logged('warn', 'Redis cannot be reached (commands)').length > 0)
            .then(close)
            .then(() => (closed = true));
        },
      },
    ).catch((error) => errors.push(error));
    await starting;
    await waitFor(() => closed);
    await client.close();
    await deadLetters.onApplicationShutdown();
    await listed;
    if (typeof connection === 'object' && connection instanceof Redis) connection.disconnect();
    expect(errors.length).toBeGreaterThan(2);
    expect(seen(errors)).toContain('Redis cannot be reached');
    expect(seen(errors)).not.toContain(SECRET);
  });
});
