import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';

import { executablePath } from '../../lib/testing/redis/process/local-redis.js';
import {
  startRedis,
  type RedisProcess,
  type StartedRedis,
  type StartRedisOptions,
} from '../../lib/testing/index.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { ownRedis } from '../support/own-redis.js';
import { waitFor } from '../support/wait-for.js';

const started: StartedRedis[] = [];

async function start(options?: StartRedisOptions): Promise<StartedRedis> {
  const redis = await startRedis(options);
  started.push(redis);
  return redis;
}

/** With options a separate server is started, whatever REDIS_URL says. */
const OWN: StartRedisOptions = { args: [] };

const own = await ownRedis();
const describeWithOwn = own === 'none' ? describe.skip : describe;
const describeWithProcess = own === 'process' ? describe : describe.skip;

function processOf(redis: StartedRedis): RedisProcess {
  if (redis.process === undefined) {
    throw new Error(`no process, this Redis is from ${redis.source}`);
  }
  return redis.process;
}

async function ask<Answer>(
  { url }: { url: string },
  question: (client: Redis) => Promise<Answer>,
): Promise<Answer> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await question(client);
  } finally {
    client.disconnect();
  }
}

const ping = (redis: { url: string }): Promise<string> => ask(redis, (client) => client.ping());

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function setUrl(url: string | undefined): void {
  if (url === undefined) {
    delete process.env['REDIS_URL'];
  } else {
    process.env['REDIS_URL'] = url;
  }
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((redis) => redis.stop()));
});

describe('startRedis', () => {
  it('gives a Redis that answers at its url', async () => {
    const redis = await start();
    expect(await ping(redis)).toBe('PONG');
    expect(new URL(redis.url)).toMatchObject({ hostname: redis.host, port: String(redis.port) });
  }, 300_000);

  it('names everything it tried and why it failed', async () => {
    await expect(startRedis({ binary: '/nowhere/redis-server' })).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      failed: [
        { way: 'REDIS_URL', reason: expect.stringContaining('options') },
        {
          way: 'redis-server or valkey-server',
          reason: expect.stringContaining('/nowhere/redis-server'),
        },
        { way: 'Docker', reason: expect.any(String) },
        { way: 'apt-get install redis-server', reason: expect.any(String) },
      ],
      message: expect.stringMatching(/REDIS_URL.*PATH.*Docker.*apt-get/s),
    });
  });
});

describeWithOwn('startRedis with options', () => {
  it('gives an empty server, and stops it with stop()', async () => {
    const redis = await start(OWN);
    expect(await ask(redis, (client) => client.dbsize())).toBe(0);
    await redis.stop();
    await expect(ping(redis)).rejects.toThrow('closed');
    await redis.stop();
  });

  it('gives many at once, each on a port of its own', async () => {
    const many = await Promise.all(Array.from({ length: 5 }, () => start(OWN)));
    expect(new Set(many.map(({ port }) => port)).size).toBe(5);
    expect(await Promise.all(many.map(ping))).toEqual(Array(5).fill('PONG'));
  });
});

describeWithOwn('startRedis with REDIS_URL', () => {
  const before = process.env['REDIS_URL'];

  afterEach(() => setUrl(before));

  it('gives that server, and leaves it running', async () => {
    const server = await start(OWN);
    setUrl(server.url);
    const redis = await start();
    expect(redis).toMatchObject({
      url: server.url,
      host: server.host,
      port: server.port,
      source: 'url',
    });
    await redis.stop();
    expect(await ping(server)).toBe('PONG');
  });

  it('gives one that needs a password, too', async () => {
    const server = await start({ args: ['--requirepass', 'secret'] });
    const url = `redis://:secret@${server.host}:${server.port}`;
    setUrl(url);
    expect(await ping(await start())).toBe('PONG');
  });

  it('fails if that server is down, and uses no other', async () => {
    setUrl('redis://127.0.0.1:1');
    await expect(startRedis()).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      failed: [{ way: 'REDIS_URL', reason: expect.stringContaining('127.0.0.1:1') }],
    });
  });

  it.each(['localhost:6379', 'http://:secret@localhost:6379', 'redis://'])(
    'refuses %j, without repeating a password',
    async (url) => {
      setUrl(url);
      await expect(startRedis()).rejects.toThrow(/^(?!.*secret).*redis:\/\/host:port/s);
    },
  );
});

describeWithProcess('the process of startRedis', () => {
  let dir = '';

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'start-redis-spec-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('leaves nothing of its own behind', async () => {
    const redis = processOf(await start(OWN));
    const { pid = 0 } = redis;
    expect(runs(pid)).toBe(true);
    expect(await exists(redis.dir)).toBe(true);
    await Promise.all(started.map((server) => server.stop()));
    expect(redis.pid).toBeUndefined();
    expect(runs(pid)).toBe(false);
    expect(await exists(redis.dir)).toBe(false);
  });

  it('is not reachable from other machines', async () => {
    const redis = await start(OWN);
    expect(await ask(redis, (client) => client.config('GET', 'bind'))).toEqual([
      'bind',
      '127.0.0.1',
    ]);
  });

  it('fails if the port is taken, and says so', async () => {
    const { port } = await start(OWN);
    const binary = await executablePath('redis-server', 'valkey-server');
    await expect(startRedis({ port, binary })).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      message: expect.stringMatching(/address already in use/i),
    });
  });

  it('comes back on its port after a kill, with what it had written to disk', async () => {
    const redis = await start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const server = processOf(redis);
    await ask(redis, (client) => client.set('kept', 'yes'));
    const before = server.pid;
    await server.kill();
    expect(server.pid).toBeUndefined();
    await expect(ping(redis)).rejects.toThrow('closed');
    await server.restart();
    expect(server.pid).not.toBe(before);
    expect(await ask(redis, (client) => client.get('kept'))).toBe('yes');
  });

  it('comes back empty if it did not persist', async () => {
    const redis = await start(OWN);
    await ask(redis, (client) => client.set('kept', 'no'));
    await processOf(redis).restart();
    expect(await ask(redis, (client) => client.dbsize())).toBe(0);
  });

  it('can come back with other arguments', async () => {
    const redis = await start(OWN);
    await processOf(redis).restart({ args: ['--maxmemory', '50mb'] });
    expect(await ask(redis, (client) => client.info('memory'))).toContain('maxmemory:52428800');
  });

  it('does not come back after stop()', async () => {
    const redis = await start(OWN);
    const server = processOf(redis);
    await redis.stop();
    await expect(server.restart()).rejects.toMatchObject({ code: 'REDIS_NOT_STARTED' });
  });

  it('keeps its files in the given directory, and does not delete it', async () => {
    const redis = await start({ dir, args: ['--appendonly', 'yes'] });
    await ask(redis, (client) => client.set('kept', 'yes'));
    await redis.stop();
    expect(await readdir(dir)).not.toEqual([]);
    const next = await start({ dir, args: ['--appendonly', 'yes'] });
    expect(await ask(next, (client) => client.get('kept'))).toBe('yes');
  });
});

describeWithProcess('a program that started a Redis and does not stop it', () => {
  let compiled: CompiledPackage;

  beforeAll(async () => {
    compiled = await compiledPackage('test/support/programs');
  });
  afterEach(endChildPrograms);

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'kills it when it dies of %s',
    async (signal) => {
      const program = childProgram(
        compiled.program('test/support/programs/start-redis.program.ts'),
      );
      const [, url = '', dir = ''] = await waitFor(() => /^(\S+) in (.+)$/m.exec(program.output()));
      expect(await ping({ url })).toBe('PONG');
      program.kill(signal);
      expect(await program.ended).toBe(signal);
      await waitFor(() =>
        ping({ url }).then(
          () => false,
          () => true,
        ),
      );
      await waitFor(async () => !(await exists(dir)));
    },
  );
});
