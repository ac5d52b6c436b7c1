import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import { ClientRedisStreams, ServerRedisStreams } from '../../lib/index.js';
import { cancelScript } from '../../lib/redis/scripts/publish/cancel.script.js';
import { delayScript } from '../../lib/redis/scripts/publish/delay.script.js';
import { publishDelayedScript } from '../../lib/redis/scripts/publish/publish-delayed.script.js';
import { publishScript } from '../../lib/redis/scripts/publish/publish.script.js';
import { unlistDelayedScript } from '../../lib/redis/scripts/publish/unlist-delayed.script.js';
import { delayedKeys } from '../../lib/wire/stream-keys.js';
import {
  type CaughtAt,
  commandProxy,
  type CommandProxy,
  type Match,
  named,
  runsScript,
} from '../chaos/support/command-proxy.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import {
  at,
  emit,
  failed,
  later,
  LISTED,
  LONG_MS,
  looksAt,
  now,
} from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { ownRedis } from '../support/own-redis.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

type Options = ConstructorParameters<typeof ClientRedisStreams>[0];

const POINTS: readonly CaughtAt[] = ['request', 'reply'];
const DEDUP: [string, Options][] = [
  ['with publishDedup', {}],
  ['without', { publishDedup: false }],
];

// A separate server, because every client and server publishes any delayed message.
const redis = redisForTests({ args: [] });
const { numbersIn, waitingIn } = looksAt(redis);
Logger.overrideLogger(recordedLog);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
  await redis.client.flushall();
});

function clientFor(options: Options = {}): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection: redis.url, ...options });
  closing.unshift(() => client.close());
  return client;
}

async function proxyForTest(): Promise<CommandProxy> {
  const proxy = await commandProxy(redis.url);
  closing.push(() => proxy.close());
  return proxy;
}

async function startServer(url = redis.url): Promise<ServerRedisStreams> {
  const server = new ServerRedisStreams({ connection: url, group: 'billing' });
  closing.unshift(() => server.close());
  await server.listen((error) => {
    if (error !== undefined) throw error;
  });
  return server;
}

/** A client whose connection goes through a proxy. */
async function clientBehindProxy(
  options: Options = {},
): Promise<{ client: ClientRedisStreams; proxy: CommandProxy }> {
  const proxy = await proxyForTest();
  const client = clientFor({ ...options, connection: proxy.url });
  await client.connect();
  return { client, proxy };
}

/** Resets the connection at the next matching command. */
const resetAt = (proxy: CommandProxy, point: CaughtAt, matches: Match): Promise<void> =>
  proxy.catchOnce(point, matches).then(({ reset }) => reset());

const published = (stream: string, count: number): Promise<unknown> =>
  waitFor(async () => (await redis.client.xlen(stream)) === count);

describe('a connection that is reset', () => {
  describe.each(DEDUP)('%s', (_, options) => {
    it.each(POINTS)('at the %s of storing messages: each is stored once', async (point) => {
      const { client, proxy } = await clientBehindProxy(options);
      const stream = freshName('orders');
      await emit(clientFor(), stream, later({ n: 9 }, LONG_MS, 'order-9'));
      const reset = resetAt(proxy, point, runsScript(delayScript));
      const receipts = await Promise.all([
        emit(client, stream, later({ n: 1 }, 100)),
        emit(client, stream, later({ n: 2 }, 100, 'order-2')),
        emit(client, stream, later({ n: 3 }, 100, 'order-9')),
      ]);
      await reset;
      expect(receipts.map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
      await published(stream, 2);
      expect(await numbersIn(stream)).toEqual([1, 2]);
      expect(await waitingIn(stream)).toBe(1);
    });

    it('after they were stored, and published before they are sent again: each once', async () => {
      const { client, proxy } = await clientBehindProxy(options);
      const stream = freshName('orders');
      await startServer();
      const caught = proxy.catchOnce('reply', runsScript(delayScript));
      const emitted = emit(client, stream, later({ n: 1 }, 0, 'order-1'));
      const { reset } = await caught;
      await published(stream, 1);
      reset();
      expect(await emitted).toMatchObject({ entryId: null, duplicate: false });
      await emit(client, stream, later({ n: 2 }, 0));
      await published(stream, 2);
      expect(await numbersIn(stream)).toEqual([1, 2]);
    });

    it('after they were stored, and cancelled before they are sent again: they stay cancelled', async () => {
      const { client, proxy } = await clientBehindProxy(options);
      const stream = freshName('orders');
      const caught = proxy.catchOnce('reply', runsScript(delayScript));
      const emitted = emit(client, stream, later({ n: 1 }, LONG_MS, 'order-1'));
      const { reset } = await caught;
      expect(await clientFor().cancel(stream, 'order-1')).toBe(true);
      reset();
      expect((await emitted).duplicate).toBe(false);
      expect(await waitingIn(stream)).toBe(0);
    });
  });

  it.each(POINTS)('at the %s of listing the stream: it is listed', async (point) => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    // Before the messages are stored, and after.
    for (const skipped of [0, 1]) {
      let seen = 0;
      const reset = resetAt(
        proxy,
        point,
        (command) => named('hset')(command) && seen++ === skipped,
      );
      expect(await emit(client, stream, later({}, LONG_MS))).toMatchObject({ duplicate: false });
      await reset;
      expect(await redis.client.hexists(LISTED, stream)).toBe(1);
      expect(await waitingIn(stream)).toBe(skipped + 1);
    }
  });

  it('again and again: each message is stored once, and each call has its receipt', async () => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    const emitted: Promise<unknown>[] = [];
    for (let round = 0; round < 10; round++) {
      const reset = resetAt(proxy, POINTS[round % 2]!, runsScript(delayScript));
      for (let n = 0; n < 20; n++) {
        const n20 = round * 20 + n;
        emitted.push(
          emit(client, stream, later({ n: n20 }, 1, n % 2 ? `order-${n20}` : undefined)),
        );
        if (n % 5 === 0) await new Promise((resolve) => void setImmediate(resolve));
      }
      await reset;
    }
    const receipts = await Promise.all(emitted);
    expect(receipts).toHaveLength(200);
    await waitFor(async () => (await waitingIn(stream)) === 0);
    const numbers = (await numbersIn(stream)) as number[];
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it.each(POINTS)(
    'at the %s of a script that publishes: nothing is lost or duplicated',
    async (point) => {
      const proxy = await proxyForTest();
      await startServer(proxy.url);
      const stream = freshName('orders');
      // Closed before anything is due: only the server is left.
      const client = clientFor();
      const due = new Date(Date.now() + 500);
      const records = Array.from({ length: 250 }, (_, n) => at({ n }, due));
      await firstValueFrom(client.emitBatch(stream, records));
      await client.close();
      await resetAt(proxy, point, runsScript(publishDelayedScript));
      await published(stream, 250);
      expect(await numbersIn(stream)).toEqual(Array.from({ length: 250 }, (_, n) => n));
    },
  );

  it.each(POINTS)(
    'at the %s of a cancel(): it gives the same result the second time',
    async (point) => {
      const { client, proxy } = await clientBehindProxy();
      const stream = freshName('orders');
      await emit(client, stream, later({ n: 1 }, LONG_MS, 'order-1'));
      const reset = resetAt(proxy, point, runsScript(cancelScript));
      expect(await client.cancel(stream, 'order-1')).toBe(true);
      await reset;
      expect(await waitingIn(stream)).toBe(0);
    },
  );

  it('at the reply of a cancel(): a message sent with the ID since is left alone', async () => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    await emit(client, stream, later({ n: 1 }, LONG_MS, 'order-1'));
    const caught = proxy.catchOnce('reply', runsScript(cancelScript));
    const cancelled = client.cancel(stream, 'order-1');
    const { reset } = await caught;
    await emit(clientFor(), stream, later({ n: 2 }, LONG_MS, 'order-1'));
    reset();
    expect(await cancelled).toBe(true);
    expect(await waitingIn(stream)).toBe(1);
  });

  it('at the reply of an emit() whose ID was waiting: it stays a duplicate, cancelled meanwhile or not', async () => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    await emit(clientFor(), stream, later({ n: 1 }, LONG_MS, 'order-1'));
    const caught = proxy.catchOnce('reply', runsScript(publishScript));
    const emitted = emit(client, stream, now({ n: 2 }, 'order-1'));
    const { reset } = await caught;
    await clientFor().cancel(stream, 'order-1');
    reset();
    expect(await emitted).toMatchObject({ entryId: null, duplicate: true });
    expect(await redis.client.xlen(stream)).toBe(0);
  });

  it("of the caller's own connection, which resends by itself: each is stored once", async () => {
    for (const point of POINTS) {
      const proxy = await proxyForTest();
      const mine = new Redis(proxy.url);
      mine.on('error', () => undefined);
      closing.push(async () => mine.disconnect());
      const client = clientFor({ connection: mine });
      await client.connect();
      const stream = freshName('orders');
      const reset = resetAt(proxy, point, runsScript(delayScript));
      const receipt = await emit(client, stream, later({ n: 1 }, LONG_MS, 'order-1'));
      await reset;
      expect(receipt.duplicate).toBe(false);
      expect(await waitingIn(stream)).toBe(1);
    }
  });

  it('and not reconnected in time: cancel() fails, and says that the message may be cancelled', async () => {
    const { client, proxy } = await clientBehindProxy({ publishTimeoutMs: 300 });
    const stream = freshName('orders');
    await emit(clientFor(), stream, later({}, LONG_MS, 'order-1'));
    proxy.freeze();
    const error = await failed(client.cancel(stream, 'order-1'));
    expect(error).toMatchObject({ code: 'CANCEL_FAILED', messageId: 'order-1', ambiguous: true });
    proxy.thaw();
    await waitFor(async () => (await waitingIn(stream)) === 0);
    const closed = clientFor({ connection: 'redis://127.0.0.1:1' });
    const cancelled = failed(closed.cancel(stream, 'order-1'));
    await closed.close();
    expect(await cancelled).toMatchObject({ code: 'CANCEL_FAILED', ambiguous: false });
  });
});

describe('closing', () => {
  it('of a client does not wait for a Redis that does not answer its check', async () => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    await emit(client, stream, later({}, LONG_MS));
    const { release } = await proxy.catchOnce('reply', named('hscan'));
    expect(await timeWithoutStalls(client.close())).toBeLessThan(1_000);
    release();
  });
});

describe('the list of streams', () => {
  it('keeps a stream to which a message is added while the stream is being removed', async () => {
    const proxy = await proxyForTest();
    const stream = freshName('orders');
    const first = clientFor();
    await emit(first, stream, later({ n: 1 }, 0));
    await published(stream, 1);
    // From now on only the server could remove it from the list.
    await first.close();
    const server = await startServer(proxy.url);
    const { release } = await proxy.catchOnce('request', runsScript(unlistDelayedScript));
    const second = clientFor();
    await emit(second, stream, later({ n: 2 }, 1_000));
    await second.close();
    release();
    await published(stream, 2);
    await server.close();
    expect(await redis.client.hexists(LISTED, stream)).toBe(1);
  });

  it('finds what was stored by a client that died before it could list the stream again', async () => {
    const { client, proxy } = await clientBehindProxy({ publishTimeoutMs: 100 });
    const stream = freshName('orders');
    await startServer();
    let seen = 0;
    const caught = proxy.catchOnce('request', (command) => named('hset')(command) && seen++ === 1);
    const emitted = failed(emit(client, stream, later({ n: 1 }, 200)));
    const { reset } = await caught;
    proxy.freeze();
    reset();
    expect(await emitted).toMatchObject({ code: 'PUBLISH_FAILED', ambiguous: true });
    await waitFor(async () => (await redis.client.xlen(stream)) === 1);
  });
});

describe('kill -9', () => {
  let compiled: CompiledPackage;
  beforeAll(async () => {
    compiled = await compiledPackage('test/support/programs');
  });
  afterEach(endChildPrograms);

  it.each(POINTS)(
    'of the only server at the %s of a script that publishes: another one publishes the rest',
    async (point) => {
      const proxy = await proxyForTest();
      const stream = freshName('orders');
      const client = clientFor();
      const records = Array.from({ length: 250 }, (_, n) => later({ n }, 0));
      const caught = proxy.catchOnce(point, runsScript(publishDelayedScript));
      const program = childProgram(
        compiled.program('test/support/programs/delayed-server.program.ts'),
        { env: { REDIS_URL: proxy.url } },
      );
      await waitFor(() => program.output().includes('listening'));
      // The client is closed before its own first check.
      const emitted = firstValueFrom(client.emitBatch(stream, records));
      await emitted;
      await client.close();
      const { reset } = await caught;
      program.kill('SIGKILL');
      expect(await program.ended).toBe('SIGKILL');
      reset();
      await startServer();
      await waitFor(async () => (await waitingIn(stream)) === 0);
      expect(await numbersIn(stream)).toEqual(Array.from({ length: 250 }, (_, n) => n));
    },
  );
});

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

withProcess('a Redis that restarts with its data', () => {
  const lasting = redisForTests({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });

  it('keeps delayed messages, and publishes each once, including those that became due meanwhile', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: lasting.url });
    const server = new ServerRedisStreams({ connection: lasting.url, group: 'billing' });
    try {
      await server.listen(() => undefined);
      const due = Date.now() + 400;
      const records = Array.from({ length: 150 }, (_, n) => at({ n }, new Date(due + n * 10)));
      await firstValueFrom(client.emitBatch(stream, records));
      await waitFor(async () => (await lasting.client.xlen(stream)) > 10);
      await lasting.server.process?.kill('SIGKILL');
      await lasting.server.process?.restart();
      await waitFor(async () => (await lasting.client.xlen(stream)) === 150);
      expect(await looksAt(lasting).numbersIn(stream)).toEqual(
        Array.from({ length: 150 }, (_, n) => n),
      );
      expect(await lasting.client.zcard(`stream:{${stream}}:delayed`)).toBe(0);
    } finally {
      await Promise.all([client.close(), server.close()]);
    }
  });
});

describe('a delayed message that another program wrote, and that holds no entry', () => {
  const pack = (...values: string[]): Buffer =>
    Buffer.concat([
      Buffer.from([0x90 + values.length]),
      ...values.map((value) =>
        Buffer.concat([Buffer.from([0xa0 + value.length]), Buffer.from(value)]),
      ),
    ]);

  it.each<[string, Buffer]>([
    ['nothing', Buffer.of()],
    ['no MessagePack', Buffer.from([0xc1, 0xff])],
    ['text', Buffer.from([0xa1, 0x61])],
    ['no fields', pack('0', '', '')],
    ['a name without a value', pack('0', '', '', 'name')],
    ['no window', pack('x', '', '', 'name', 'value')],
    ['a limit that is no number', pack('0', 'x', '', 'name', 'value')],
    ['a time to live that is no number', pack('0', '', 'x', 'name', 'value')],
    ['a list in it', Buffer.from([0x95, 0xa1, 0x30, 0xa0, 0xa0, 0xa1, 0x61, 0x90])],
  ])('is removed and logged, and those behind it are published: %s', async (_, row) => {
    const stream = freshName('orders');
    const client = clientFor();
    const digits = '0000000000000000';
    const { delayed, messages } = delayedKeys(stream);
    await redis.client.hset(messages, 'junk', Buffer.concat([Buffer.from(digits), row]));
    await redis.client.zadd(delayed, 1, `${digits}junk`);
    await emit(client, stream, later({ n: 1 }, 1));
    await waitFor(async () => (await numbersIn(stream)).length === 1);
    expect(await numbersIn(stream)).toEqual([1]);
    await waitFor(async () => (await redis.client.exists(delayed, messages)) === 0);
    expect(logged('error', `"${stream}"`)).toEqual([
      expect.stringContaining('no entry were removed: 1'),
    ]);
  });
});
