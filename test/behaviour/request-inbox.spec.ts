import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger, type Type } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { from, lastValueFrom, Subject, take, toArray } from 'rxjs';

import {
  ClientRedisStreams,
  MessageDecodingError,
  type RedisStreamsModuleOptions,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, type StreamsApp, streamsApp } from '../support/streams-app.js';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: one test empties it, and connections are counted.
const redis = redisForTests({ args: [] });
closeAppsAfterEach();
Logger.overrideLogger(recordedLog);

const GROUP = 'pricing';
const clients = new Set<ClientRedisStreams>();
const proxies = new Set<TcpProxy>();
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()));
  await Promise.all([...proxies].map((proxy) => proxy.close()));
  clients.clear();
  proxies.clear();
});

function clientFor(
  options: ConstructorParameters<typeof ClientRedisStreams>[0] = {},
): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection: redis.url, ...options });
  clients.add(client);
  return client;
}

async function proxied(): Promise<TcpProxy> {
  const proxy = await tcpProxy(redis.url);
  proxies.add(proxy);
  return proxy;
}

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, ...options }, { controllers });

const inboxes = (client: Redis, keyPrefix: string): Promise<string[]> =>
  client.keys(`stream:replies:{${keyPrefix}*`);
/** Without the records of requests that were left. */
const inboxesWithReplies = async (keyPrefix: string): Promise<string[]> =>
  (await inboxes(redis.client, keyPrefix)).filter((key) => !key.endsWith(':left'));

describe('the inbox', () => {
  it('receives the replies of 1 000 concurrent requests on one connection', async () => {
    const stream = freshName('quote');
    await start([answeringController<number>(stream, (n) => n * 2, { concurrency: 32 })]);
    const before = await connectionsNamed('nestjs-redis-streams:client:replies');
    const client = clientFor();
    const answers = Array.from({ length: 1_000 }, (_, n) => lastValueFrom(client.send(stream, n)));
    await waitFor(async () => (await redis.client.xlen(stream)) > 0);
    expect(await connectionsNamed('nestjs-redis-streams:client:replies')).toBe(before + 1);
    await expect(Promise.all(answers)).resolves.toEqual([...Array(1_000).keys()].map((n) => n * 2));
    expect(await connectionsNamed('nestjs-redis-streams:client:replies')).toBe(before + 1);
  });

  it('lasts for at most a minute without its client, and replies do not extend it', async () => {
    const [stream, keyPrefix] = [freshName('quote'), freshPrefix()];
    const app = await start([answeringController(stream, (data) => data)], { keyPrefix });
    const client = clientFor({ keyPrefix });
    await lastValueFrom(client.send(stream, 1));
    const [key = ''] = await inboxes(redis.client, keyPrefix);
    expect(await redis.client.pttl(key)).toBeGreaterThan(30_000);
    expect(await redis.client.pttl(key)).toBeLessThanOrEqual(60_000);
    await redis.client.pexpire(key, 10_000);
    await lastValueFrom(client.send(stream, 2));
    expect(await redis.client.pttl(key)).toBeLessThanOrEqual(10_000);
    expect(app.monitor.getStats().counts.handled).toBe(2);
  });

  it('is not created again by a reply to a client that is gone', async () => {
    const [stream, keyPrefix] = [freshName('quote'), freshPrefix()];
    const gate = new Subject<string>();
    await start([answeringController(stream, () => gate.pipe(take(1)))], { keyPrefix });
    const client = clientFor({ keyPrefix });
    const asked = lastValueFrom(client.send(stream, 'it')).catch(() => 'closed');
    await waitFor(() => gate.observed);
    await client.close();
    expect(await asked).toBe('closed');
    await waitFor(async () => (await inboxesWithReplies(keyPrefix)).length === 0);
    gate.next('late');
    await waitFor(() => isCaughtUp(redis.client, keyPrefix + stream, GROUP));
    expect(await inboxesWithReplies(keyPrefix)).toEqual([]);
  });

  it('removes what was read, so that it does not grow', async () => {
    const [stream, keyPrefix] = [freshName('quote'), freshPrefix()];
    await start([answeringController<number>(stream, (n) => from(Array(n).keys()))], { keyPrefix });
    const client = clientFor({ keyPrefix });
    const values = lastValueFrom(client.send(stream, 5_000).pipe(toArray()));
    await expect(values).resolves.toHaveLength(5_000);
    const [key = ''] = await inboxes(redis.client, keyPrefix);
    await waitFor(async () => (await redis.client.xlen(key)) < 1_100);
  });

  it('is gone with its client, and did not exist before its first request', async () => {
    const keyPrefix = freshPrefix();
    const client = clientFor({ keyPrefix });
    await client.connect();
    expect(await inboxes(redis.client, keyPrefix)).toEqual([]);
    client.send('quote', 'it').subscribe({ error: () => undefined });
    await waitFor(async () => (await inboxes(redis.client, keyPrefix)).length === 1);
    await client.close();
    // The request still waits in its stream: the record that its caller has left outlives it there.
    const left = await waitFor(async () => {
      const [key = '', ...others] = await inboxes(redis.client, keyPrefix);
      return others.length === 0 && key.endsWith(':left') ? key : undefined;
    });
    expect(await redis.client.scard(left)).toBe(1);
    expect(await redis.client.pttl(left)).toBeGreaterThan(30_000);
    expect(await redis.client.pttl(left)).toBeLessThanOrEqual(60_000);
  });

  it('is created again after FLUSHALL, and no request goes unanswered', async () => {
    const stream = freshName('quote');
    await start([answeringController(stream, (data) => data, { startFrom: 'beginning' })]);
    const client = clientFor({ requestTimeoutMs: 20_000 });
    await expect(lastValueFrom(client.send(stream, 1))).resolves.toBe(1);
    await redis.client.flushall();
    // A client checks its inbox if the last check is older than 20 ms.
    await delay(50);
    await expect(lastValueFrom(client.send(stream, 2))).resolves.toBe(2);
  });
});

describe('other users', () => {
  /** Sends a request that nobody answers, and gives its fields. */
  async function asked(client: ClientRedisStreams, stream: string, keyPrefix = '') {
    // Somebody reads the stream: another program.
    await redis.client.xgroup('CREATE', keyPrefix + stream, 'other', '$', 'MKSTREAM');
    await redis.client.xgroup('CREATECONSUMER', keyPrefix + stream, 'other', 'worker');
    const answer = lastValueFrom(client.send(stream, 1));
    answer.catch(() => undefined);
    const fields = await waitFor(async () => {
      const [last] = await redis.client.xrevrange(keyPrefix + stream, '+', '-', 'COUNT', 1);
      return last?.[1];
    });
    const valueOf = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
    return { answer, id: valueOf('request-id'), inbox: valueOf('request-inbox') };
  }

  it('can guess neither the inbox nor the ID of a request, and an inbox can have a beginning of its own', async () => {
    const ids = new Set<string>();
    const keys = new Set<string>();
    for (const keyPrefix of ['', 'dev:']) {
      for (let n = 0; n < 3; n++) {
        const stream = freshName('quote');
        const client = clientFor({ inbox: 'web', keyPrefix });
        const { id, inbox } = await asked(client, stream, keyPrefix);
        expect(id).toMatch(/^[\da-f]{32}$/);
        expect(inbox).toMatch(new RegExp(`^stream:replies:\\{${keyPrefix}web\\.[\\da-f]{32}\\}$`));
        ids.add(id);
        keys.add(inbox);
      }
    }
    expect([ids.size, keys.size]).toEqual([6, 6]);
  });

  it.each(['', 'a b', 'a*', '{a}', 'x'.repeat(65)])('%j is no beginning of an inbox', (inbox) => {
    expect(() => clientFor({ inbox })).toThrow(/"inbox".*letters, digits/);
  });

  it('who write junk into it cost nothing: no log line, no delay, and no reply is lost', async () => {
    const stream = freshName('quote');
    const client = clientFor();
    const { answer, id, inbox } = await asked(client, stream);
    const junk = [
      ['reply', 'nobodys error 1 1 run group', 'error', '{"a":'],
      ['reply', `${id} nonsense 1 1 run group`],
      ['reply', `${id} nobody 1 1 run group`, 'groups', '\u00ff'],
      ['reply', `${id} ${'x'.repeat(100_000)}`],
      ['reply'.repeat(50), 'x'],
      ['x'.repeat(100_000), ''],
    ];
    const before = recordedLog.lines.length;
    for (let n = 0; n < 300; n++) {
      const pipeline = redis.client.pipeline();
      for (const fields of junk) pipeline.xadd(inbox, '*', ...fields);
      await pipeline.exec();
    }
    await redis.client.xadd(inbox, '*', 'reply', `${id} error 1 1 run group`, 'error', '{"a":');
    await expect(answer).rejects.toThrow(MessageDecodingError);
    await start([answeringController<number>(stream, (n) => n * 2)], { startFrom: 'beginning' });
    await expect(lastValueFrom(client.send(stream, 4))).resolves.toBe(8);
    const lines = recordedLog.lines.slice(before).filter(({ level }) => level !== 'log');
    expect(lines.filter(({ text }) => /repl|inbox/i.test(text))).toEqual([]);
  });
});

describe('a dropped connection', () => {
  it('of the client loses no reply, whenever it drops', async () => {
    const stream = freshName('quote');
    const gate = new Subject<number>();
    await start([answeringController(stream, () => gate.pipe(take(20)))]);
    const proxy = await proxied();
    const client = clientFor({ connection: proxy.url });
    const asked = lastValueFrom(client.send(stream, 'it').pipe(toArray()));
    await waitFor(() => gate.observed);
    for (let n = 0; n < 20; n++) {
      gate.next(n);
      if (n % 5 === 2) proxy.resetAll();
      await new Promise(setImmediate);
    }
    await expect(asked).resolves.toEqual([...Array(20).keys()]);
  });

  it.each(['before-request', 'before-reply'] as const)(
    'of the server while it replies (%s) gives each value once',
    async (at) => {
      const stream = freshName('quote');
      const proxy = await proxied();
      const app = await start([answeringController<number>(stream, (n) => from(Array(n).keys()))], {
        connection: proxy.url,
      });
      const client = clientFor();
      await expect(lastValueFrom(client.send(stream, 1))).resolves.toBe(0);
      const reset = proxy.resetOnce(at, (request) => request.includes('reply'));
      const values = lastValueFrom(client.send(stream, 300).pipe(toArray()));
      await reset;
      await expect(values).resolves.toEqual([...Array(300).keys()]);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      expect(app.monitor.getStats().counts).toMatchObject({ handled: 2, failed: 0 });
    },
  );

  it('of the client while it sends a request: the request is sent once', async () => {
    const stream = freshName('quote');
    let runs = 0;
    await start([answeringController(stream, () => ++runs)]);
    const proxy = await proxied();
    const client = clientFor({ connection: proxy.url });
    await expect(lastValueFrom(client.send(stream, 'it'))).resolves.toBe(1);
    const reset = proxy.resetOnce('before-reply', (request) => request.includes('request-inbox'));
    await expect(lastValueFrom(client.send(stream, 'it'))).resolves.toBe(2);
    await reset;
    expect(await redis.client.xlen(stream)).toBe(2);
  });
});

async function connectionsNamed(name: string): Promise<number> {
  const list = String(await redis.client.client('LIST'));
  return list.split('\n').filter((line) => line.includes(` name=${name} `)).length;
}
