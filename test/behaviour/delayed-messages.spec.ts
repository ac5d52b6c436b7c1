import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  type Codec,
  FieldCodec,
  JsonCodec,
  MessageEncodingError,
  RedisStreamsContext,
  RedisStreamsRecord,
  RedisStreamsRecordBuilder,
  ServerRedisStreams,
  WatermillCodec,
} from '../../lib/index.js';
import {
  at,
  emit,
  failed,
  later,
  LISTED,
  LONG_MS,
  looksAt,
  msOf,
  now,
} from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: one test empties it, another takes its memory away, and every client publishes any
// delayed message.
const redis = redisForTests({ args: [] });
const { entriesOf, numbersIn, waitingIn, nowMs } = looksAt(redis);
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();

type Options = ConstructorParameters<typeof ClientRedisStreams>[0];

const clients = new Set<ClientRedisStreams>();
const servers = new Set<ServerRedisStreams>();

afterEach(async () => {
  await Promise.all([...clients, ...servers].map((each) => each.close()));
  clients.clear();
  servers.clear();
  await redis.client.config('SET', 'maxmemory', '0');
  await redis.client.flushall();
});

function clientFor(options: Options = {}): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection: redis.url, ...options });
  clients.add(client);
  return client;
}

/** A server without handlers: it looks for due messages anyway. */
async function startServer(): Promise<ServerRedisStreams> {
  const server = new ServerRedisStreams({ connection: redis.url, group: 'billing' });
  servers.add(server);
  await server.listen((error) => {
    if (error !== undefined) throw error;
  });
  return server;
}

const published = (stream: string, count: number): Promise<unknown> =>
  waitFor(async () => (await redis.client.xlen(stream)) === count);

const publishedKeys = (stream: string): string[] => [
  `stream:{${stream}}:delayed`,
  `stream:{${stream}}:delayed:messages`,
];

describe('a message with a delay', () => {
  it('is published when it is due, and its receipt has no entry ID', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const calledAt = await nowMs();
    const receipt = await emit(client, stream, later({ n: 1 }, 1_000, 'order-1'));
    expect(receipt).toEqual({ stream, messageId: 'order-1', entryId: null, duplicate: false });
    expect(await redis.client.exists(stream)).toBe(0);
    await published(stream, 1);
    const [entry] = await entriesOf(stream);
    expect(msOf(entry?.[0]) - calledAt).toBeGreaterThanOrEqual(1_000);
    expect(entry?.[1]).toEqual(['name', stream, 'body', '{"n":1}', 'id', 'order-1']);
    expect(await redis.client.exists(...publishedKeys(stream))).toBe(0);
  });

  it('of none at all, or with a past time, is published right away', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const receipts = [
      await emit(client, stream, later({ n: 0 }, 0)),
      await emit(client, stream, at({ n: 1 }, new Date(Date.now() - LONG_MS))),
      await emit(client, stream, at({ n: 2 }, new Date(-1))),
    ];
    expect(receipts.map(({ entryId }) => entryId)).toEqual([null, null, null]);
    await published(stream, 3);
  });

  it('is published within 250 ms of its time, if clients and servers are idle', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await startServer();
    const startsAt = await nowMs();
    const dueAt = Array.from({ length: 40 }, (_, n) => startsAt + 500 + n * 61);
    const records = dueAt.map((due) => at({ due }, new Date(due)));
    await firstValueFrom(client.emitBatch(stream, records));
    // A busy machine delays this test as well.
    const looks: number[] = [];
    const looking = setInterval(() => void nowMs().then((ms) => looks.push(ms)), 200);
    await published(stream, 40);
    clearInterval(looking);
    const publishedAt = (await entriesOf(stream)).map(([id]) => msOf(id));
    for (const [n, due] of dueAt.entries()) expect(publishedAt[n]).toBeGreaterThanOrEqual(due);
    // A check every 200 ms finds each message at the first or second check after it is due.
    const missed = dueAt.map(
      (due, n) => looks.filter((look) => look > due && look < publishedAt[n]!).length,
    );
    expect(missed.sort((a, b) => a - b)[20]).toBeLessThanOrEqual(1);
  });

  it('has the time of its publishing as getPublishedAt(), and arrives like any other', async () => {
    const stream = freshName('orders');
    const contexts: RedisStreamsContext[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: 'billing' },
      { controllers: [handlerOf(stream, (_, context) => void contexts.push(context))] },
    );
    const calledAt = await nowMs();
    const record = new RedisStreamsRecordBuilder({ n: 1 })
      .setMessageId('order-1')
      .setHeaders({ tenant: 'eu' })
      .setDelayMs(250)
      .build();
    await app.emit({ stream, name: 'order.created' }, record);
    await waitFor(() => contexts.length === 1);
    const [context] = contexts;
    expect(context?.getMessageId()).toBe('order-1');
    expect(context?.getName()).toBe('order.created');
    expect(context?.getHeaders()).toEqual({ tenant: 'eu' });
    expect(context!.getPublishedAt().getTime() - calledAt).toBeGreaterThanOrEqual(250);
  });

  it('can wait for years, and stays when its client closes', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, later({}, 50 * 365 * 24 * LONG_MS, 'order-1'));
    await emit(client, stream, later({}, Number.MAX_SAFE_INTEGER, 'order-2'));
    await emit(client, stream, at({}, new Date(8_640_000_000_000_000)));
    await client.close();
    await startServer();
    expect(await waitingIn(stream)).toBe(3);
    expect(await clientFor().cancel(stream, 'order-2')).toBe(true);
    expect(await waitingIn(stream)).toBe(2);
  });

  it('is published in the order of due times, and of the calls if these are equal', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const due = new Date((await nowMs()) + 3_000);
    // More than two pages, with message IDs that sort differently as text.
    const same = Array.from({ length: 250 }, (_, n) =>
      new RedisStreamsRecordBuilder({ n: n + 2 })
        .setMessageId(`${(n * 7919) % 250}`)
        .setDeliverAt(due)
        .build(),
    );
    await emit(client, stream, at({ n: 1 }, new Date(due.getTime() - 1)));
    const receipts = await firstValueFrom(client.emitBatch(stream, same.slice(0, 200)));
    await Promise.all(same.slice(200).map((record) => emit(client, stream, record)));
    await emit(client, stream, at({ n: 0 }, new Date(due.getTime() - 2)));
    expect(new Set(receipts.map(({ entryId }) => entryId))).toEqual(new Set([null]));
    expect(await redis.client.exists(stream)).toBe(0);
    await published(stream, 252);
    expect(await numbersIn(stream)).toEqual(Array.from({ length: 252 }, (_, n) => n));
  });

  const noise = Buffer.from(Array.from({ length: 512 }, (_, n) => n % 256));
  const CODECS: [string, Codec, unknown][] = [
    ['JsonCodec', new JsonCodec(), { größe: 4, text: '\u0000"\n' }],
    ['JsonCodec, bytes', new JsonCodec(), noise],
    ['WatermillCodec', new WatermillCodec({ payload: 'bytes' }), noise],
    ['FieldCodec', new FieldCodec({ field: 'data', payload: 'bytes' }), noise],
  ];
  it.each(CODECS)(
    'is the entry that emit() would write, byte for byte: %s',
    async (_, codec, payload) => {
      const [direct, delayed] = [freshName('orders'), freshName('orders')];
      const client = clientFor({ codec });
      const record = (): RedisStreamsRecordBuilder<unknown> =>
        codec instanceof FieldCodec
          ? new RedisStreamsRecordBuilder(payload)
          : new RedisStreamsRecordBuilder(payload).setMessageId('order-1').setName('order.created');
      await emit(client, direct, record().build());
      await emit(client, delayed, record().setDelayMs(1).build());
      await published(delayed, 1);
      const [[, expected]] = (await redis.client.xrangeBuffer(direct, '-', '+')) as [
        [Buffer, Buffer[]],
      ];
      const [[, fields]] = (await redis.client.xrangeBuffer(delayed, '-', '+')) as [
        [Buffer, Buffer[]],
      ];
      expect(fields).toEqual(expected);
    },
  );

  it('applies the stream limits of the call when it is published', async () => {
    const stream = freshName('progress');
    await redis.client.xadd(stream, '*', 'body', '{}');
    for (let n = 0; n < 300; n++) await redis.client.xadd(stream, '*', 'body', '{}');
    const client = clientFor({
      streams: { [stream]: { maxLength: 100, ttlMs: LONG_MS, force: true } },
    });
    await emit(client, stream, later({}, 1_000));
    expect(await redis.client.xlen(stream)).toBe(301);
    expect(await redis.client.pttl(stream)).toBe(-1);
    await client.close();
    await startServer();
    await waitFor(async () => (await redis.client.xlen(stream)) < 300);
    expect(await redis.client.xlen(stream)).toBeGreaterThanOrEqual(100);
    expect(await redis.client.pttl(stream)).toBeGreaterThan(LONG_MS / 2);
  });

  it('may be as large as maxPayloadBytes, and no larger', async () => {
    const stream = freshName('orders');
    const client = clientFor({ maxPayloadBytes: 300_000 });
    await emit(client, stream, later('x'.repeat(299_000), 1));
    await published(stream, 1);
    const error = await failed(emit(client, stream, later('x'.repeat(300_000), 1)));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(await waitingIn(stream)).toBe(0);
  });

  const BAD: [string, object, string][] = [
    ['a negative delay', { delayMs: -1 }, 'delayMs'],
    ['half a millisecond', { delayMs: 0.5 }, 'delayMs'],
    ['NaN', { delayMs: Number.NaN }, 'delayMs'],
    ['an endless delay', { delayMs: Number.POSITIVE_INFINITY }, 'delayMs'],
    ['a delay that is text', { delayMs: '100' }, 'delayMs'],
    ['an invalid date', { deliverAt: new Date('never') }, 'deliverAt'],
    ['a date that is text', { deliverAt: '2026-01-01' }, 'deliverAt'],
    ['two times', { delayMs: 1, deliverAt: new Date() }, 'both delayMs and deliverAt'],
  ];
  it.each(BAD)('%s is a clear error, and nothing is sent', async (_, options, said) => {
    const stream = freshName('orders');
    const error = await failed(emit(clientFor(), stream, new RedisStreamsRecord({}, options)));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(String(error)).toContain(said);
    expect(await redis.client.keys(`*${stream}*`)).toEqual([]);
  });
});

describe('the message ID of a waiting message', () => {
  it('is a duplicate, whoever publishes it, now or later, and within the window after publishing', async () => {
    const stream = freshName('orders');
    const [client, other] = [clientFor(), clientFor()];
    await emit(client, stream, later({ n: 1 }, 3_000, 'order-1'));
    const waits = { stream, messageId: 'order-1', entryId: null, duplicate: true };
    for (const each of [client, other]) {
      expect(await emit(each, stream, now({ n: 2 }, 'order-1'))).toEqual(waits);
      expect(await emit(each, stream, later({ n: 3 }, 1, 'order-1'))).toEqual(waits);
    }
    await published(stream, 1);
    const [[entryId]] = (await entriesOf(stream)) as [[string, string[]]];
    const there = { ...waits, entryId };
    for (const each of [client, other]) {
      expect(await emit(each, stream, now({ n: 4 }, 'order-1'))).toEqual(there);
      expect(await emit(each, stream, later({ n: 5 }, 1, 'order-1'))).toEqual(there);
    }
    expect(await numbersIn(stream)).toEqual([1]);
    expect(await waitingIn(stream)).toBe(0);
  });

  it('that was published at once is not published later within the window', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const first = await emit(client, stream, now({ n: 1 }, 'order-1'));
    const second = await emit(client, stream, later({ n: 2 }, 1, 'order-1'));
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await waitingIn(stream)).toBe(0);
  });

  it('in several calls of one turn: the first one counts', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const [first, second, third] = await Promise.all([
      emit(client, stream, later({ n: 1 }, 1_000, 'order-1')),
      emit(client, stream, later({ n: 2 }, 1, 'order-1')),
      emit(client, stream, now({ n: 3 }, 'order-1')),
    ]);
    expect([first, second, third].map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
    await published(stream, 1);
    expect(await numbersIn(stream)).toEqual([1]);
  });

  it('is kept longer than the window, which begins when it is published', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: { windowMs: 2_000 } });
    await emit(client, stream, later({ n: 1 }, 1_000, 'order-1'));
    await waitFor(async () => {
      const { duplicate, entryId } = await emit(client, stream, now({ n: 2 }, 'order-1'));
      expect(duplicate).toBe(true);
      return entryId !== null;
    });
    const again = await waitFor(async () => {
      const receipt = await emit(client, stream, now({ n: 3 }, 'order-1'));
      return receipt.duplicate ? undefined : receipt;
    });
    const [[first]] = (await entriesOf(stream)) as [[string, string[]]];
    expect(msOf(again.entryId) - msOf(first)).toBeGreaterThanOrEqual(2_000);
    expect(await numbersIn(stream)).toEqual([1, 3]);
  });

  it('with publishDedup: false is a duplicate for delayed messages, until it is published', async () => {
    const stream = freshName('orders');
    const [client, checking] = [clientFor({ publishDedup: false }), clientFor()];
    // Connecting first takes nothing of the time that the message waits.
    await Promise.all([client.connect(), checking.connect()]);
    await emit(client, stream, later({ n: 1 }, 4_000, 'order-1'));
    expect(await emit(client, stream, later({ n: 2 }, 1, 'order-1'))).toMatchObject({
      entryId: null,
      duplicate: true,
    });
    expect((await emit(checking, stream, now({ n: 3 }, 'order-1'))).duplicate).toBe(true);
    // A client that stores no IDs checks none either.
    expect((await emit(client, stream, now({ n: 4 }, 'order-1'))).duplicate).toBe(false);
    await published(stream, 2);
    expect((await emit(client, stream, later({ n: 5 }, 1, 'order-1'))).duplicate).toBe(false);
    await published(stream, 3);
    expect(await numbersIn(stream)).toEqual([4, 1, 5]);
    expect(await redis.client.exists(`stream:{${stream}}:published`)).toBe(0);
  });
});

describe('a batch', () => {
  it.each([
    ['with publishDedup', {}],
    ['without', { publishDedup: false as const }],
  ])('may hold messages for now and for later: %s', async (_, options) => {
    const stream = freshName('orders');
    const client = clientFor(options);
    const items = [{ n: 0 }, later({ n: 1 }, 2_000), { n: 2 }, later({ n: 3 }, 1_900, 'order-3')];
    const receipts = await firstValueFrom(client.emitBatch<unknown>(stream, items));
    const [first, , third] = receipts;
    expect(receipts.map(({ entryId }) => entryId !== null)).toEqual([true, false, true, false]);
    expect(receipts[3]).toMatchObject({ messageId: 'order-3', duplicate: false });
    expect((await entriesOf(stream)).map(([id]) => id)).toEqual([first?.entryId, third?.entryId]);
    await published(stream, 4);
    expect(await numbersIn(stream)).toEqual([0, 2, 3, 1]);
  });

  it('of ten thousand due at once is published completely and in order', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const due = new Date((await nowMs()) + 100);
    const items = Array.from({ length: 10_000 }, (_, n) => at({ n }, due));
    await firstValueFrom(client.emitBatch(stream, items));
    await waitFor(async () => (await redis.client.xlen(stream)) === 10_000);
    expect(await numbersIn(stream)).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
  });
});

describe('cancel()', () => {
  it('cancels a message: it is not published, and its ID is free', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, later({ n: 1 }, 2_000, 'order-1'));
    await emit(client, stream, later({ n: 2 }, 2_050, 'order-2'));
    expect(await clientFor().cancel(stream, 'order-1')).toBe(true);
    expect(await client.cancel(stream, 'order-1')).toBe(false);
    await published(stream, 1);
    expect(await numbersIn(stream)).toEqual([2]);
    expect(await emit(client, stream, now({ n: 3 }, 'order-1'))).toMatchObject({
      duplicate: false,
    });
    expect(await numbersIn(stream)).toEqual([2, 3]);
  });

  it('leaves nothing behind', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, later({}, LONG_MS, 'order-1'));
    expect(await client.cancel(stream, 'order-1')).toBe(true);
    expect(await redis.client.exists(...publishedKeys(stream))).toBe(0);
    expect(await emit(client, stream, later({}, LONG_MS, 'order-1'))).toMatchObject({
      duplicate: false,
    });
  });

  it('returns false for what does not wait: unknown, published, or of another stream', async () => {
    const [stream, other] = [freshName('orders'), freshName('orders')];
    const client = clientFor();
    expect(await client.cancel(stream, 'order-1')).toBe(false);
    await emit(client, stream, later({}, 1, 'order-1'));
    expect(await client.cancel(other, 'order-1')).toBe(false);
    await published(stream, 1);
    expect(await client.cancel(stream, 'order-1')).toBe(false);
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  it('comes after what was emitted before it, connected or not', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    for (const id of ['order-1', 'order-2']) {
      const emitted = emit(client, stream, later({}, LONG_MS, id));
      expect(await client.cancel(stream, id)).toBe(true);
      expect((await emitted).duplicate).toBe(false);
    }
  });

  it('while all are being published returns true for exactly those that are not published', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const ids = Array.from({ length: 400 }, (_, n) => `order-${n}`);
    const due = (await nowMs()) + 300;
    await firstValueFrom(
      client.emitBatch(
        stream,
        ids.map((id, n) =>
          new RedisStreamsRecordBuilder({})
            .setMessageId(id)
            .setDeliverAt(new Date(due + n))
            .build(),
        ),
      ),
    );
    await waitFor(async () => (await redis.client.xlen(stream)) > 0);
    const cancelled = new Set<string>();
    // Those that are due last come first, so that the two meet.
    for (let n = ids.length - 1; n >= 0; n--) {
      if (await client.cancel(stream, ids[n]!)) cancelled.add(ids[n]!);
    }
    await waitFor(async () => (await waitingIn(stream)) === 0);
    const inStream = (await entriesOf(stream)).map(
      ([, fields]) => fields[fields.indexOf('id') + 1]!,
    );
    expect(inStream).toEqual(ids.filter((id) => !cancelled.has(id)));
    expect(cancelled.size).toBeGreaterThan(0);
  });
});

describe('the publishers of delayed messages', () => {
  it('include a server that reads nothing and has another prefix, after the client is gone', async () => {
    const stream = freshName('orders');
    const client = clientFor({ keyPrefix: 'shop:' });
    await emit(client, stream, later({ n: 1 }, 300));
    await client.close();
    await startServer();
    await published(`shop:${stream}`, 1);
    expect(await numbersIn(`shop:${stream}`)).toEqual([1]);
  });

  it("include the module's client in an app that does not listen, once it is connected", async () => {
    const stream = freshName('orders');
    const gone = clientFor();
    await emit(gone, stream, later({ n: 1 }, 300));
    await gone.close();
    const app = await streamsApp({ connection: redis.url, group: 'billing' }, {});
    await app.server.close();
    await app.client.connect();
    await published(stream, 1);
    expect(await numbersIn(stream)).toEqual([1]);
  });

  it('check once every 200 ms: if a server runs, the client of its module does not', async () => {
    const app = await streamsApp({ connection: redis.url, group: 'billing' }, {});
    await app.emit(freshName('orders'), { n: 1 });
    const asked = async (): Promise<number> => {
      const info = await redis.client.info('commandstats');
      return Number(/cmdstat_hscan:calls=(\d+)/.exec(info)?.[1] ?? 0);
    };
    const before = await asked();
    const startedAt = performance.now();
    await waitFor(async () => (await asked()) >= before + 10);
    expect(performance.now() - startedAt).toBeGreaterThan(1_500);
  });

  it('ask for no stream if nothing is due, and forget one if nothing waits', async () => {
    const [waits, empty] = [freshName('orders'), freshName('orders')];
    const client = clientFor();
    await emit(client, waits, later({}, LONG_MS));
    await emit(client, empty, later({}, 1));
    await published(empty, 1);
    await waitFor(async () => (await redis.client.hexists(LISTED, empty)) === 0);
    expect(await redis.client.hkeys(LISTED)).toEqual([waits]);
    await emit(client, empty, later({}, 300));
    await published(empty, 2);
  });

  it('publish once each: two servers and two clients together over 200 messages', async () => {
    const streams = Array.from({ length: 4 }, () => freshName('orders'));
    const both = [clientFor(), clientFor({ publishDedup: false })];
    await Promise.all([startServer(), startServer()]);
    const due = new Date((await nowMs()) + 600);
    await Promise.all(
      streams.map((stream, s) =>
        firstValueFrom(
          both[s % 2]!.emitBatch(
            stream,
            Array.from({ length: 50 }, (_, n) => at({ n }, new Date(due.getTime() + (n % 5) * 20))),
          ),
        ),
      ),
    );
    await waitFor(async () => {
      const left = await Promise.all(streams.map((stream) => waitingIn(stream)));
      return left.every((count) => count === 0);
    });
    for (const stream of streams) {
      const numbers = (await numbersIn(stream)) as number[];
      expect(numbers).toHaveLength(50);
      expect(new Set(numbers).size).toBe(50);
    }
  });
});

describe('a stream with many due messages', () => {
  it('does not hold up the others', async () => {
    const [much, stream] = [freshName('much'), freshName('orders')];
    const client = clientFor({ publishTimeoutMs: 30_000 });
    const items = Array.from({ length: 20_000 }, (_, n) => later({ n }, LONG_MS));
    await firstValueFrom(client.emitBatch(much, items));
    await client.close();
    const other = clientFor();
    await emit(other, stream, later({ n: 1 }, LONG_MS));
    await other.close();
    // Both are due at once. Redis's commands show in which order they are published.
    for (const delayed of [much, stream].map((each) => `stream:{${each}}:delayed`)) {
      await redis.client.zunionstore(delayed, 1, delayed, 'WEIGHTS', 0);
    }
    const pages: string[] = [];
    const monitor = await redis.connect().monitor();
    monitor.on('monitor', (_time: string, args: string[]) => {
      const [command = '', , , key = ''] = args;
      if (/^evalsha?$/i.test(command) && [much, stream].includes(key)) pages.push(key);
    });
    await startServer();
    await published(stream, 1);
    await waitFor(async () => (await waitingIn(much)) === 0);
    monitor.disconnect();
    // A hundred at a time, alternating between the two.
    expect(pages.length).toBeGreaterThan(100);
    expect(pages.slice(0, 10)).toContain(stream);
    expect(await redis.client.xlen(much)).toBe(20_000);
  });
});

describe('keys that somebody deletes', () => {
  it('FLUSHALL: what comes after it is published', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, later({ n: 1 }, LONG_MS, 'order-1'));
    await redis.client.flushall();
    expect(await emit(client, stream, later({ n: 2 }, 300, 'order-1'))).toMatchObject({
      duplicate: false,
    });
    await published(stream, 1);
    expect(await numbersIn(stream)).toEqual([2]);
  });

  it.each(['delayed', 'delayed:messages'])(
    '%s alone: the message ID is free again',
    async (which) => {
      const stream = freshName('orders');
      const client = clientFor();
      await emit(client, stream, later({ n: 1 }, LONG_MS, 'order-1'));
      await redis.client.del(`stream:{${stream}}:${which}`);
      expect(await client.cancel(stream, 'order-1')).toBe(false);
      expect(await emit(client, stream, later({ n: 2 }, 300, 'order-1'))).toMatchObject({
        duplicate: false,
      });
      await published(stream, 1);
      expect(await numbersIn(stream)).toEqual([2]);
      expect(await redis.client.exists(...publishedKeys(stream))).toBe(0);
    },
  );

  it('the list of streams: a publisher that knows a stream continues, and lists it again', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, later({ n: 1 }, 2_000));
    await emit(client, stream, later({ n: 2 }, LONG_MS));
    await emit(client, stream, later({ n: 0 }, 0));
    // From now on the client knows when the next one is due.
    await published(stream, 1);
    await redis.client.del(LISTED);
    await published(stream, 2);
    await waitFor(async () => (await redis.client.hexists(LISTED, stream)) === 1);
  });
});

describe('the list of streams, which all who may write it share', () => {
  const evals = async (): Promise<number> => {
    const info = await redis.client.info('commandstats');
    return [...info.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  };
  const server = (stream: string, connection = redis.url) =>
    streamsApp(
      { connection, group: 'billing', blockMs: 5_000 },
      { controllers: [handlerOf(stream, () => undefined)] },
    );

  /** A connection whose user may use one stream, and perhaps more keys. */
  const restrictedTo = async (stream: string, ...more: string[]): Promise<string> => {
    const user = freshName('user');
    const keys = [stream, `stream:{${stream}}:*`, ...more].map((key) => `~${key}`);
    await redis.client.call('ACL', 'SETUSER', user, 'on', '>secret', '+@all', ...keys);
    return redis.url.replace('//', `//${user}:secret@`);
  };

  it('can be emptied: the servers of a stream publish what its clients left', async () => {
    const stream = freshName('orders');
    await server(stream);
    const client = clientFor();
    await emit(client, stream, later({ n: 1 }, 500));
    await client.close();
    expect(await redis.client.hdel(LISTED, stream)).toBe(1);
    await published(stream, 1);
  });

  it('can be full of junk: servers without rights to what it names leave it alone', async () => {
    const stream = freshName('orders');
    const connection = await restrictedTo(stream, LISTED);
    const rows = Array.from({ length: 500 }, (_, n) => [`${n % 2 ? '}' : 'junk'}${n}`, 'x']).flat();
    await redis.client.hset(LISTED, ...rows, 'x'.repeat(100_000), 'x', '{', '\u001b'.repeat(5_000));
    const before = recordedLog.lines.filter(({ level }) => level === 'warn').length;
    await server(stream, connection);
    await waitFor(async () => {
      const start = await evals();
      await delay(1_000);
      // Two checks in each of five rounds, and nothing for any name in the list.
      return (await evals()) - start < 20;
    });
    expect(recordedLog.lines.filter(({ level }) => level === 'warn')).toHaveLength(before);
    const client = clientFor();
    await emit(client, stream, later({ n: 1 }, 200));
    await client.close();
    await published(stream, 1);
    await redis.client.del(LISTED);
  }, 15_000);

  it('can be forbidden: a client is found by the servers of its stream', async () => {
    const stream = freshName('orders');
    const connection = await restrictedTo(stream);
    const client = clientFor({ connection });
    await emit(client, stream, later({ n: 1 }, 100));
    await published(stream, 1);
    await emit(client, stream, later({ n: 2 }, 400));
    await client.close();
    expect(await redis.client.hexists(LISTED, stream)).toBe(0);
    await server(stream, connection);
    await published(stream, 2);
  });
});

describe('what Redis refuses', () => {
  it('keeps waiting, is logged once, and harms no other streams', async () => {
    const [text, stream] = [freshName('text'), freshName('orders')];
    const client = clientFor();
    await redis.client.set(text, 'not a stream');
    await emit(client, text, later({ n: 1 }, 1, 'order-1'));
    await emit(client, text, later({ n: 2 }, 1));
    await emit(client, stream, later({ n: 1 }, 100));
    await published(stream, 1);
    await waitFor(() => logged('warn', text).length > 0);
    expect(await waitingIn(text)).toBe(2);
    await redis.client.del(text);
    await published(text, 2);
    expect(await numbersIn(text)).toEqual([1, 2]);
    expect(logged('warn', text)).toHaveLength(1);
  });

  it('for lack of memory is an unambiguous error, and waiting messages are published once there is memory', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, later({ n: 1 }, 3_000));
    await emit(client, stream, later({ n: 2 }, LONG_MS, 'order-2'));
    await redis.client.config('SET', 'maxmemory', '1');
    expect(await failed(emit(client, stream, later({ n: 3 }, 1)))).toMatchObject({
      code: 'PUBLISH_FAILED',
      ambiguous: false,
    });
    await waitFor(() => logged('warn', stream).some((line) => line.includes('OOM')));
    expect(await client.cancel(stream, 'order-2')).toBe(true);
    expect(await redis.client.xlen(stream)).toBe(0);
    await redis.client.config('SET', 'maxmemory', '0');
    await published(stream, 1);
    expect(await numbersIn(stream)).toEqual([1]);
  });
});
