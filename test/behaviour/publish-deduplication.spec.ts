import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  PublishError,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import type { ResetAt } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: one test takes its memory away, another its scripts.
const redis = redisForTests({ args: [] });
Logger.overrideLogger(recordedLog);

const RESETS: readonly ResetAt[] = ['before-request', 'before-reply'];

const clients = clientsForTests(redis);
const { clientFor, clientBehindProxy } = clients;

const emit = (
  client: ClientRedisStreams,
  stream: string,
  payload: unknown,
  messageId?: string,
): Promise<PublishReceipt> => {
  const builder = new RedisStreamsRecordBuilder(payload);
  if (messageId !== undefined) builder.setMessageId(messageId);
  return firstValueFrom(client.emit(stream, builder.build()));
};

const publishedAtMs = ({ entryId }: PublishReceipt): number => Number(entryId?.split('-')[0]);

const failed = (emitted: Promise<unknown>): Promise<unknown> =>
  emitted.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );

const names = (stream: string) => (request: Buffer) => request.includes(stream);

const publishedKey = (stream: string): string => `stream:{${stream}}:published`;

const entryIds = async (stream: string): Promise<string[]> =>
  (await redis.client.xrange(stream, '-', '+')).map(([id]) => id);

const numbersIn = async (stream: string): Promise<unknown[]> =>
  (await redis.client.xrange(stream, '-', '+')).map(
    ([, fields]) => JSON.parse(fields[fields.indexOf('body') + 1] ?? '').n,
  );

describe('a message ID that was published within the window', () => {
  it('is not written again: the receipt has the first entry and says so', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const first = await emit(client, stream, { n: 1 }, 'order-1');
    const second = await emit(client, stream, { n: 2 }, 'order-1');
    expect(first).toMatchObject({ stream, messageId: 'order-1', duplicate: false });
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await entryIds(stream)).toEqual([first.entryId]);
  });

  it('in one turn: the first call writes it', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const receipts = await Promise.all(
      [1, 2, 3].map((n) => emit(client, stream, { n }, 'order-1')),
    );
    expect(receipts.map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
    expect(await entryIds(stream)).toEqual([receipts[0]?.entryId]);
    expect(new Set(receipts.map(({ entryId }) => entryId)).size).toBe(1);
    expect(await numbersIn(stream)).toEqual([1]);
  });

  it('by two clients at once: one of them writes it', async () => {
    const stream = freshName('orders');
    const both = [clientFor(), clientFor()];
    await Promise.all(both.map((client) => client.connect()));
    const ids = Array.from({ length: 300 }, (_, n) => `order-${n}`);
    const receipts = await Promise.all(
      both.map((client) => Promise.all(ids.map((id) => emit(client, stream, {}, id)))),
    );
    expect(await redis.client.xlen(stream)).toBe(300);
    ids.forEach((_, n) => {
      const same = receipts.map((of) => of[n]);
      expect(same[0]?.entryId).toBe(same[1]?.entryId);
      expect(same.filter((receipt) => receipt?.duplicate)).toHaveLength(1);
    });
  });

  it('is known for one stream only', async () => {
    const client = clientFor();
    for (const stream of [freshName('orders'), freshName('parcels')]) {
      expect((await emit(client, stream, {}, 'order-1')).duplicate).toBe(false);
    }
  });

  it('is published again after the window', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: { windowMs: 200 } });
    const first = await emit(client, stream, {}, 'order-1');
    expect((await emit(client, stream, {}, 'order-1')).duplicate).toBe(true);
    const again = await waitFor(async () => {
      const receipt = await emit(client, stream, {}, 'order-1');
      return receipt.duplicate ? undefined : receipt;
    });
    expect(await entryIds(stream)).toEqual([first.entryId, again.entryId]);
    const apartMs = publishedAtMs(again) - publishedAtMs(first);
    expect(apartMs).toBeGreaterThanOrEqual(200);
    expect(await emit(client, stream, {}, 'order-1')).toEqual({ ...again, duplicate: true });
  });

  it('is written twice with publishDedup: false, and nothing is stored', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: false });
    const receipts = [
      await emit(client, stream, {}, 'order-1'),
      await emit(client, stream, {}, 'order-1'),
    ];
    expect(receipts.map(({ duplicate }) => duplicate)).toEqual([false, false]);
    expect(await entryIds(stream)).toEqual(receipts.map(({ entryId }) => entryId));
    expect(await redis.client.keys(`stream:{${stream}}*`)).toEqual([]);
  });
});

describe('a connection that is reset', () => {
  for (const at of RESETS) {
    for (const messageId of [undefined, 'order-1']) {
      const which = messageId === undefined ? 'made by the client' : 'that the caller gave';
      it(`${at}: one entry, and its receipt, for a message ID ${which}`, async () => {
        const { client, proxy } = await clientBehindProxy();
        const stream = freshName('orders');
        const sprung = proxy.resetOnce(at, names(stream));
        const receipt = await emit(client, stream, { n: 1 }, messageId);
        await sprung;
        expect(receipt.duplicate).toBe(false);
        expect(await entryIds(stream)).toEqual([receipt.entryId]);
      });
    }

    it(`${at}: what another client published before is still reported as a duplicate`, async () => {
      const { client, proxy } = await clientBehindProxy();
      const stream = freshName('orders');
      const first = await emit(clientFor(), stream, {}, 'order-1');
      const sprung = proxy.resetOnce(at, names(stream));
      const [own, others, own2] = await Promise.all([
        emit(client, stream, {}, 'order-0'),
        emit(client, stream, {}, 'order-1'),
        emit(client, stream, {}, 'order-2'),
      ]);
      await sprung;
      expect(others).toEqual({ ...first, duplicate: true });
      expect([own.duplicate, own2.duplicate]).toEqual([false, false]);
      expect(await entryIds(stream)).toEqual([first.entryId, own.entryId, own2.entryId]);
    });

    it(`${at}: the order of the calls is kept`, async () => {
      const { client, proxy } = await clientBehindProxy();
      const stream = freshName('orders');
      const sprung = proxy.resetOnce(at, names(stream));
      const emitted: Promise<PublishReceipt>[] = [];
      for (let n = 0; n < 500; n++) {
        emitted.push(emit(client, stream, { n }));
        if (n % 7 === 0) await new Promise((resolve) => void setImmediate(resolve));
      }
      const receipts = await Promise.all(emitted);
      await sprung;
      expect(await numbersIn(stream)).toEqual(Array.from({ length: 500 }, (_, n) => n));
      expect(await entryIds(stream)).toEqual(receipts.map(({ entryId }) => entryId));
      expect(receipts.some(({ duplicate }) => duplicate)).toBe(false);
    });

    it(`${at}, of the caller's own connection, which resends by itself`, async () => {
      const proxy = await clients.proxy();
      const mine = new Redis(proxy.url);
      mine.on('error', () => undefined);
      try {
        const client = clientFor({ connection: mine });
        await client.connect();
        const stream = freshName('orders');
        const sprung = proxy.resetOnce(at, names(stream));
        const receipt = await emit(client, stream, { n: 1 }, 'order-1');
        await sprung;
        expect(receipt.duplicate).toBe(false);
        expect(await entryIds(stream)).toEqual([receipt.entryId]);
      } finally {
        mine.disconnect();
      }
    });
  }

  it('again and again: each message is written once, and each call has its receipt', async () => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    const emitted: Promise<PublishReceipt>[] = [];
    for (let round = 0; round < 12; round++) {
      const at = round % 2 === 0 ? 'before-request' : 'before-reply';
      const sprung = proxy.resetOnce(at, names(stream));
      for (let n = 0; n < 20; n++) {
        const messageId = n % 2 === 0 ? undefined : `order-${round}-${n}`;
        emitted.push(emit(client, stream, {}, messageId));
      }
      await sprung;
    }
    const receipts = await Promise.all(emitted);
    expect(receipts.filter(({ duplicate }) => duplicate)).toEqual([]);
    expect(await entryIds(stream)).toEqual(receipts.map(({ entryId }) => entryId));
  });

  it('and not reconnected in time: the error is ambiguous, and nothing is sent later', async () => {
    const { client, proxy } = await clientBehindProxy({ publishTimeoutMs: 300 });
    const stream = freshName('orders');
    const error = failed(emit(client, stream, { n: 1 }));
    proxy.freeze();
    proxy.resetAll();
    expect(await error).toMatchObject({ code: 'PUBLISH_FAILED', ambiguous: true });
    const never = await failed(emit(client, stream, { n: 2 }));
    expect(never).toMatchObject({ ambiguous: false });
    proxy.thaw();
    expect((await emit(client, stream, { n: 3 })).duplicate).toBe(false);
    expect(await numbersIn(stream)).not.toContain(2);
    expect((await numbersIn(stream)).filter((n) => n === 3)).toHaveLength(1);
  });

  it('for longer than the window: the message is not sent again', async () => {
    const { client, proxy } = await clientBehindProxy({ publishDedup: { windowMs: 1 } });
    const stream = freshName('orders');
    void proxy.resetOnce('before-reply', names(stream));
    expect(await failed(emit(client, stream, { n: 1 }))).toMatchObject({ ambiguous: true });
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  it('with publishDedup: false is an ambiguous error, and nothing is sent again', async () => {
    const { client, proxy } = await clientBehindProxy({ publishDedup: false });
    const stream = freshName('orders');
    const sprung = proxy.resetOnce('before-reply', names(stream));
    const error = await failed(emit(client, stream, { n: 1 }));
    await sprung;
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({ ambiguous: true });
    await client.connect();
    expect(await redis.client.xlen(stream)).toBe(1);
  });
});

describe('a Redis that no longer has the script', () => {
  it('gets it again, and the order of the calls is kept', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const emitted = [emit(client, stream, { n: 0 })];
    await Promise.all(emitted);
    for (let n = 1; n < 300; n++) {
      if (n % 50 === 1) void redis.client.script('FLUSH');
      emitted.push(emit(client, stream, { n }));
      if (n % 3 === 0) await new Promise((resolve) => void setImmediate(resolve));
    }
    await Promise.all(emitted);
    expect(await numbersIn(stream)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });
});

describe('a refusal by Redis', () => {
  it('for one stream leaves the others of the same turn alone', async () => {
    const [text, stream] = [freshName('text'), freshName('orders')];
    await redis.client.set(text, 'not a stream');
    const client = clientFor();
    const [refused, receipt] = await Promise.all([
      failed(emit(client, text, {})),
      emit(client, stream, {}),
    ]);
    expect(refused).toMatchObject({ code: 'PUBLISH_FAILED', ambiguous: false });
    expect(String(refused)).toContain('WRONGTYPE');
    expect(await entryIds(stream)).toEqual([receipt.entryId]);
  });

  it('in the middle of a turn: what was written has its receipt, the rest the reason', async () => {
    const stream = freshName('orders');
    // Memory for one more entry.
    await redis.client.xadd(stream, '18446744073709551615-18446744073709551614', 'body', '{}');
    const client = clientFor();
    const [first, second, third] = await Promise.all([
      emit(client, stream, { n: 1 }, 'order-1'),
      failed(emit(client, stream, { n: 2 }, 'order-2')),
      failed(emit(client, stream, { n: 3 }, 'order-3')),
    ]);
    expect(first.entryId).toBe('18446744073709551615-18446744073709551615');
    for (const error of [second, third]) {
      expect(error).toMatchObject({ ambiguous: false });
      expect(String(error)).toMatch(/exhausted|greater/);
    }
    expect(await emit(client, stream, { n: 1 }, 'order-1')).toEqual({ ...first, duplicate: true });
    expect(await redis.client.xlen(stream)).toBe(2);
  });

  it('for lack of memory is not ambiguous, and publishing works once there is some', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, { n: 1 });
    await redis.client.config('SET', 'maxmemory', '1');
    try {
      const error = await failed(emit(client, stream, { n: 2 }));
      expect(error).toMatchObject({ ambiguous: false });
      expect(String(error)).toContain('OOM');
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
    await emit(client, stream, { n: 3 });
    expect(await numbersIn(stream)).toEqual([1, 3]);
  });
});

describe('the published IDs', () => {
  it('expire when nobody publishes any more', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: { windowMs: 60_000 } });
    await emit(client, stream, {}, 'order-1');
    await emit(client, stream, {});
    for (const key of await redis.client.keys(`stream:{${stream}}*`)) {
      const leftMs = await redis.client.pttl(key);
      expect(leftMs).toBeGreaterThan(30_000);
      expect(leftMs).toBeLessThanOrEqual(121_000);
    }
    await emit(clientFor({ publishDedup: { windowMs: 100 } }), freshName('orders'), {});
    const short = freshName('orders');
    await emit(clientFor({ publishDedup: { windowMs: 100 } }), short, {});
    await waitFor(async () => (await redis.client.exists(publishedKey(short))) === 0);
  });

  it('are removed in small steps once they have left the window, and finally all of them', async () => {
    const stream = freshName('orders');
    const key = publishedKey(stream);
    const old = Array.from({ length: 5_000 }, (_, n) => [
      1_700_000_000_000 * 2_048 + n,
      `old-${n}`,
    ]);
    await redis.client.zadd(key, ...old.flat());
    const client = clientFor();
    let [before, published, steps] = [5_000, 0, 0];
    while (before > 0) {
      await emit(client, stream, {});
      const now = (await redis.client.zcard(key)) - ++published;
      expect(before - now).toBeLessThanOrEqual(200);
      if (now < before) steps++;
      before = now;
    }
    expect(steps).toBeGreaterThan(10);
    // Publishing a single message does not remove each time, and still keeps up.
    expect(published).toBeLessThan(50 * steps);
    expect(await redis.client.zcard(key)).toBe(published);
  });

  it('have the entry ID even if that does not fit into a score', async () => {
    const stream = freshName('orders');
    // An hour ahead: the entries that follow keep this time, and count up.
    const ahead = Date.now() + 3_600_000;
    await redis.client.xadd(stream, `${ahead}-5000`, 'body', '{}');
    const client = clientFor({ publishDedup: { windowMs: 300 } });
    const first = await emit(client, stream, {}, 'order-1');
    expect(first.entryId).toBe(`${ahead}-5001`);
    expect(await emit(client, stream, {}, 'order-1')).toEqual({ ...first, duplicate: true });
    // It leaves the window by the time at which it was published, with all its records.
    await waitFor(async () => {
      await emit(client, stream, {});
      return (await redis.client.zscore(publishedKey(stream), 'order-1')) === null;
    });
    expect(await redis.client.hexists(`${publishedKey(stream)}:ids`, 'order-1')).toBe(0);
  });
});

describe('closing', () => {
  it('waits for what was emitted in the same turn', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await client.connect();
    const emitted = Array.from({ length: 300 }, (_, n) => emit(client, stream, { n }));
    await client.close();
    await Promise.all(emitted);
    expect(await redis.client.xlen(stream)).toBe(300);
  });

  it('waits for what has to be sent again because Redis lost the script', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    await emit(client, stream, { n: 0 });
    await redis.client.script('FLUSH');
    const emitted: Promise<PublishReceipt>[] = [];
    for (let n = 1; n < 50; n++) {
      emitted.push(emit(client, stream, { n }));
      await new Promise((resolve) => process.nextTick(resolve));
    }
    await client.close();
    await Promise.all(emitted);
    expect(await numbersIn(stream)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('does not wait for a reconnect: what is unanswered is ambiguous', async () => {
    const { client, proxy } = await clientBehindProxy();
    const stream = freshName('orders');
    const error = failed(emit(client, stream, { n: 1 }));
    await waitFor(async () => (await redis.client.xlen(stream)) >= 0);
    proxy.freeze();
    const open = failed(emit(client, stream, { n: 2 }));
    await new Promise((resolve) => void setImmediate(resolve));
    proxy.resetAll();
    expect(await timeWithoutStalls(client.close())).toBeLessThan(1_000);
    expect(await open).toMatchObject({ ambiguous: true });
    await error;
  });
});
