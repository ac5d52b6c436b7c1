import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';

import { UnsupportedServerError } from '../../lib/index.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { logged } from '../support/recorded-log.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const describeWithOwn = (await ownRedis()) === 'none' ? describe.skip : describe;
const GROUP = 'billing';
const servers = new Set<StartedRedis>();
const connections = new Set<Redis>();
closeAppsAfterEach();

// ioredis logs there that it may not send INFO.
beforeEach(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));

afterEach(async () => {
  jest.restoreAllMocks();
  for (const connection of connections) connection.disconnect();
  await Promise.all([...servers].map((server) => server.stop()));
  connections.clear();
  servers.clear();
});

async function redisWith(...args: string[]): Promise<{ url: string; look: Redis; port: number }> {
  const server = await startRedis({ args });
  servers.add(server);
  const look = new Redis(server.url);
  look.on('error', () => undefined);
  connections.add(look);
  return { url: server.url, look, port: server.port };
}

/** Counts what is logged from now on. */
function sinceNow(level: 'log' | 'warn' | 'error' | 'debug', part: string): () => string[] {
  const before = logged(level, part).length;
  return () => logged(level, part).slice(before);
}

/** An app that reads one stream. */
async function reading(connection: string): Promise<{ stream: string; got: unknown[] }> {
  const stream = freshName('orders');
  const got: unknown[] = [];
  await streamsApp(
    { connection, group: GROUP },
    { controllers: [handlerOf(stream, (data) => void got.push(data), { startFrom: 'beginning' })] },
  );
  return { stream, got };
}

describeWithOwn('at start the log says', () => {
  it('which Redis it is, once, even after a reconnect', async () => {
    const { url, look } = await redisWith();
    const loggedLines = sinceNow('log', 'The server is ');
    const warned = sinceNow('warn', 'maxmemory-policy');
    const { stream, got } = await reading(url);
    expect(loggedLines()).toEqual([
      expect.stringMatching(/^The server is (Redis|Valkey) \d+\.\d+/),
    ]);
    const infos = async (): Promise<number> =>
      Number(/cmdstat_command[^:]*:calls=(\d+)/.exec(await look.info('commandstats'))?.[1]);
    const before = await infos();
    await look.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitFor(async () => (await infos()) > before);
    await addEntries(look, stream, [{ n: 1 }]);
    await waitFor(() => got.length === 1);
    expect(loggedLines()).toHaveLength(1);
    expect(warned()).toEqual([]);
  });

  it('that a Redis which evicts may remove needed keys, and continues', async () => {
    const { url, look } = await redisWith('--maxmemory-policy', 'allkeys-lru');
    const warned = sinceNow('warn', 'maxmemory-policy');
    const { stream, got } = await reading(url);
    expect(warned()).toEqual([expect.stringContaining('"allkeys-lru"')]);
    await addEntries(look, stream, [{ n: 1 }]);
    await waitFor(() => got.length === 1);
  });

  it('what it may not ask, and continues', async () => {
    const { url, look } = await redisWith('--maxmemory-policy', 'allkeys-lru');
    const rights = ['~*', '&*', '+@all', '-config', '-info', '-command', '-role', '-hello'];
    await look.call('ACL', 'SETUSER', 'app', 'on', '>secret', ...rights);
    // HELLO is allowed to everybody, and reports the version.
    const loggedLines = sinceNow('debug', 'may not ask');
    const warned = sinceNow('warn', 'maxmemory-policy');
    const { stream, got } = await reading(url.replace('redis://', 'redis://app:secret@'));
    expect(loggedLines()).toEqual([expect.stringMatching(/: maxmemory-policy, commands$/)]);
    expect(warned()).toEqual([]);
    await addEntries(look, stream, [{ n: 1 }]);
    await waitFor(() => got.length === 1);
  });

  it('what other commands report if INFO is not allowed', async () => {
    const { url, look } = await redisWith('--maxmemory-policy', 'allkeys-lru');
    await look.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-info');
    const loggedLines = sinceNow('log', 'The server is ');
    const warned = sinceNow('warn', 'maxmemory-policy');
    await reading(url.replace('redis://', 'redis://app:secret@'));
    expect(loggedLines()).toHaveLength(1);
    expect(warned()).toHaveLength(1);
  });
});

describeWithOwn('a Redis that lacks a needed feature', () => {
  it('is an error that names it', async () => {
    const { url } = await redisWith(
      ...'--rename-command XCLAIM X-XCLAIM --rename-command ZMSCORE X-ZMSCORE'.split(' '),
    );
    const loggedLines = sinceNow('error', 'XCLAIM');
    const error: unknown = await reading(url).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnsupportedServerError);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_SERVER' });
    expect(String(error)).toContain('ZMSCORE, XCLAIM');
    expect(loggedLines().length).toBeGreaterThan(0);
  });
});

describeWithOwn('a replica by mistake', () => {
  it('is an error, logged once, and is waited for until it is a primary', async () => {
    const { port } = await redisWith();
    const { url, look } = await redisWith('--replicaof', '127.0.0.1', String(port));
    const loggedLines = sinceNow('error', 'is a replica');
    const nowPrimary = sinceNow('log', 'is a primary now');
    let started = false;
    const starting = reading(url).then((app) => {
      started = true;
      return app;
    });
    const asked = async (): Promise<number> =>
      Number(/cmdstat_command[^:]*:calls=(\d+)/.exec(await look.info('commandstats'))?.[1]);
    await waitFor(async () => (await asked()) > 3);
    expect(started).toBe(false);
    expect(loggedLines()).toHaveLength(1);
    await look.replicaof('NO', 'ONE');
    const { stream, got } = await starting;
    expect(nowPrimary()).toHaveLength(1);
    await addEntries(look, stream, [{ n: 1 }]);
    await waitFor(() => got.length === 1);
    expect(loggedLines()).toHaveLength(1);
  });

  it('after a reconnect: is logged, and reading continues once it is a primary', async () => {
    const { url, look } = await redisWith();
    const { port } = await redisWith();
    const { stream, got } = await reading(url);
    const loggedLines = sinceNow('error', 'is a replica');
    await look.replicaof('127.0.0.1', port);
    await look.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitFor(() => loggedLines().length === 1);
    const nowPrimary = sinceNow('log', 'is a primary now');
    await look.replicaof('NO', 'ONE');
    await waitFor(() => nowPrimary().length === 1);
    await addEntries(look, stream, [{ n: 1 }]);
    await waitFor(() => got.length === 1);
    expect(loggedLines()).toHaveLength(1);
  });

  it('is no longer waited for when the app closes', async () => {
    const { port } = await redisWith();
    const { url } = await redisWith('--replicaof', '127.0.0.1', String(port));
    const loggedLines = sinceNow('error', 'is a replica');
    await expect(
      streamsApp(
        { connection: url, group: GROUP },
        {
          controllers: [handlerOf(freshName('orders'), () => undefined)],
          before: (app) => {
            void waitFor(() => loggedLines().length === 1).then(() => app.close());
          },
        },
      ),
    ).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });
});
