import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { LedgerMaintenanceJob } from '../../lib/index.js';
import { packLedger, UNPACKED } from '../../lib/jobs/pack-ledger.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { ledgerSize } from '../../lib/redis/read/own-records.js';
import { forgetMessagesScript } from '../../lib/redis/scripts/ledger/forget-messages.script.js';
import { redriveScript } from '../../lib/redis/scripts/admin/redrive.script.js';
import { freshName } from '../support/fresh-name.js';
import { LedgerConsumer } from '../support/ledger-consumer.js';
import { bucketsOf, packedRecords, setPackedTimes } from '../support/packed-ledger.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = LedgerConsumer.GROUP;
const WINDOW_MS = LedgerConsumer.WINDOW_MS;
const redis = redisForTests();
closeAppsAfterEach();

const ids = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => `order-${from + n}`);
const allOf = (kind: string, count: number): string[] => Array.from({ length: count }, () => kind);

async function consumerOf(
  delivery?: 'at-least-once' | 'at-most-once',
  windowMs?: number,
): Promise<LedgerConsumer> {
  const consumer = new LedgerConsumer(redis.client, freshName('orders'), delivery, windowMs);
  await redis.client.xgroup('CREATE', consumer.stream, GROUP, '0', 'MKSTREAM');
  return consumer;
}

describe('a ledger that is too long for its ZSET', () => {
  it('knows every message that was processed, and no other', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(5_000));
    await consumer.pack();
    expect(await redis.client.zcard(consumer.keys.ledger)).toBe(100);
    expect(await consumer.reserve(ids(5_000))).toEqual(allOf('duplicate', 5_000));
    expect(await consumer.reserve(ids(5_000, 5_000))).toEqual(allOf('new', 5_000));
  });

  it('keeps the newest in the ZSET, and packs the rest with about 16 in a bucket', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(5_000));
    await consumer.pack();
    const newest = await redis.client.zrange(consumer.keys.ledger, '0', '-1');
    // Those of one commit have the same time.
    expect(newest.every((id) => ids(200, 4_800).includes(id))).toBe(true);
    expect(await packedRecords(redis.client, consumer.keys)).toHaveLength(4_900);
    expect(await bucketsOf(redis.client, consumer.keys)).toBe(Math.ceil(4_900 / 16));
    expect(await ledgerSize(redis.client, consumer.keys)).toEqual({ all: 5_000, packed: 4_900 });
  });

  it('is correct if it is packed while others commit', async () => {
    const consumer = await consumerOf();
    const all = Array.from({ length: 30 }, (_, n) => consumer.commit(ids(150, n * 100)));
    const packing = [consumer.packStep(), consumer.packStep(), consumer.pack()];
    await Promise.all([...all, ...packing]);
    await consumer.pack();
    expect(await consumer.reserve(ids(3_050))).toEqual(allOf('duplicate', 3_050));
    await packedRecords(redis.client, consumer.keys);
  });

  it('loses nothing if packing is interrupted after any of its steps, or a step is sent twice', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(600));
    for (let left = 500; left > 0; left -= 100) {
      expect(await consumer.packStep(50)).toBe(50);
      expect(await consumer.packStep(50)).toBe(50);
      expect(await consumer.reserve(ids(600))).toEqual(allOf('duplicate', 600));
      const { all } = await ledgerSize(redis.client, consumer.keys);
      expect(all).toBe(600);
    }
    expect(await consumer.packStep(50)).toBe(0);
  });

  it('works the same with at-most-once, which records messages when it reserves them', async () => {
    const consumer = await consumerOf('at-most-once');
    expect(await consumer.reserve(ids(1_000))).toEqual(allOf('new', 1_000));
    await consumer.pack();
    expect(await consumer.reserve(ids(1_000))).toEqual(allOf('duplicate', 1_000));
  });

  it('removes what was put back, redriven, or is to be forgotten', async () => {
    const consumer = await consumerOf('at-most-once');
    const { ledger, packedLedger, deadLetters, retries, attempts } = consumer.keys;
    await redis.client.xadd(consumer.stream, LedgerConsumer.FIRST_ENTRY, 'id', 'order-0');
    await consumer.reserve(ids(1_000));
    // Both parts have it: it was recorded again, after its record was packed.
    await consumer.pack();
    await redis.client.zadd(ledger, Date.now(), 'order-2');
    expect(await consumer.putBack(['order-0'])).toEqual([true]);
    const letter = (await redis.client.xadd(deadLetters, '*', 'id', 'order-1')) ?? '';
    const keys = [deadLetters, retries, attempts, ledger, packedLedger];
    expect(await redriveScript.run(redis.client, keys, [letter, 'order-1'])).toBe(1);
    const both = [ledger, packedLedger];
    const asked = ['order-2', 'order-999', 'order-3', 'unknown'];
    expect(await forgetMessagesScript.run(redis.client, both, asked)).toBe(3);
    expect(await forgetMessagesScript.run(redis.client, both, asked)).toBe(0);
    expect((await ledgerSize(redis.client, consumer.keys)).all).toBe(995);
    await packedRecords(redis.client, consumer.keys);
    expect(await consumer.reserve(['order-4', 'order-0', 'order-1', ...asked])).toEqual([
      'duplicate',
      ...allOf('new', 6),
    ]);
  });

  it('accepts what other programs have written there', async () => {
    const consumer = await consumerOf();
    const { ledger } = consumer.keys;
    const soon = Date.now() + 60_000;
    const odd: [string, string][] = [
      ['fraction', `${soon}.25`],
      ['negative', '-5'],
      ['endless', 'inf'],
      ['long ago', '-inf'],
      ['\u{1F4E6} \u0000', String(soon)],
    ];
    await redis.client.zadd(ledger, ...odd.flatMap(([id, score]) => [score, id]));
    const known = ['duplicate', 'new', 'duplicate', 'new', 'duplicate'];
    const names = odd.map(([id]) => id);
    expect(await consumer.reserve(names)).toEqual(known);
    await consumer.pack(0);
    expect(await redis.client.zcard(ledger)).toBe(0);
    expect(await consumer.reserve(names)).toEqual(known);
  });
});

describe('a ledger from before ledgers were packed', () => {
  it('loses nothing of its window, during packing and after', async () => {
    const stream = freshName('orders');
    const keys = streamKeys('', stream, GROUP);
    const count = UNPACKED + 1_000;
    await redis.client.zadd(keys.ledger, ...ids(count).flatMap((id, n) => [Date.now() + n, id]));
    const handled: unknown[] = [];
    const { app, monitor } = await streamsApp(
      { connection: redis.url, group: GROUP, startFrom: 'beginning' },
      { controllers: [handlerOf(stream, (payload) => handled.push(payload))] },
    );
    const publishAll = async (messageIds: readonly string[]): Promise<void> => {
      for (const id of messageIds) {
        await redis.client.xadd(stream, '*', 'name', 'order', 'body', `"${id}"`, 'id', id);
      }
    };
    const some = ids(50).map((_, n) => `order-${n * 100}`);
    await publishAll([...some, 'new-1']);
    await waitFor(() => monitor.getStats().counts.duplicate === 50 && handled.length === 1);
    await app.get(LedgerMaintenanceJob).run();
    await app.get(LedgerMaintenanceJob).run();
    expect(await redis.client.zcard(keys.ledger)).toBe(UNPACKED);
    expect((await ledgerSize(redis.client, keys)).all).toBe(count + 1);
    await publishAll([...some, 'new-2', 'new-1']);
    await waitFor(() => monitor.getStats().counts.duplicate === 101 && handled.length === 2);
    expect(handled).toEqual(['new-1', 'new-2']);
  });

  it('stays unchanged if packing is turned off', async () => {
    const stream = freshName('orders');
    const { ledger, packedLedger } = streamKeys('', stream, GROUP);
    const rows = ids(UNPACKED + 500).flatMap((id) => [Date.now(), id]);
    await redis.client.zadd(ledger, ...rows);
    const { app } = await streamsApp(
      { connection: redis.url, group: GROUP, dedup: { packed: false } },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    await app.get(LedgerMaintenanceJob).run();
    expect(await redis.client.zcard(ledger)).toBe(UNPACKED + 500);
    expect(await redis.client.exists(packedLedger)).toBe(0);
  });
});

describe('a maintenance run that packs a ledger', () => {
  const LONG = UNPACKED + 8_000;
  /** Of every part of the ledger some. */
  const some = Array.from({ length: 500 }, (_, n) => `order-${n * 24}`);
  const unknown = some.map((id) => `${id}-unknown`);

  async function longLedger(): Promise<LedgerConsumer> {
    const consumer = await consumerOf();
    const rows = ids(LONG).flatMap((id, n) => [Date.now() - 30_000 + n, id]);
    await redis.client.zadd(consumer.keys.ledger, ...rows);
    return consumer;
  }

  async function expectAllKnown(consumer: LedgerConsumer): Promise<void> {
    expect(await consumer.reserve(some)).toEqual(allOf('duplicate', some.length));
    expect(await consumer.reserve(unknown)).toEqual(allOf('new', some.length));
    expect((await ledgerSize(redis.client, consumer.keys)).all).toBe(LONG);
  }

  it('finds every message at any moment, and no other', async () => {
    const consumer = await longLedger();
    const run = { hasEnded: false };
    const packing = packLedger(redis.connect(), consumer.keys, WINDOW_MS, freshName('lock'));
    const ended = packing.finally(() => (run.hasEnded = true));
    while (!run.hasEnded) await expectAllKnown(consumer);
    expect(await ended).toBe(LONG - UNPACKED);
    await expectAllKnown(consumer);
    expect(await packedRecords(redis.client, consumer.keys)).toHaveLength(LONG - UNPACKED);
  });

  it('is continued by the next run if the process dies in it, and nothing is lost', async () => {
    const consumer = await longLedger();
    const { ledger, packedLedger } = consumer.keys;
    const lock = freshName('lock');
    const dying = new Redis(redis.url);
    const first = packLedger(dying, consumer.keys, WINDOW_MS, lock);
    const death = first.catch((error: unknown) => error);
    while ((await redis.client.exists(packedLedger)) === 0);
    dying.disconnect();
    expect(String(await death)).toContain('Connection is closed');
    expect(await redis.client.zcard(ledger)).toBeGreaterThan(UNPACKED);
    await expectAllKnown(consumer);
    // Its lock ends a minute later.
    expect(await packLedger(redis.client, consumer.keys, WINDOW_MS, lock)).toBeUndefined();
    await redis.client.del(lock);
    expect(await packLedger(redis.client, consumer.keys, WINDOW_MS, lock)).toBeGreaterThan(0);
    expect(await redis.client.zcard(ledger)).toBe(UNPACKED);
    await expectAllKnown(consumer);
    expect(await packedRecords(redis.client, consumer.keys)).toHaveLength(LONG - UNPACKED);
  });
});

describe('what has left the window of a packed ledger', () => {
  it('is not found, may run again, and is found again then', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(1_000));
    await consumer.pack();
    await setPackedTimes(redis.client, consumer.keys, 1);
    await consumer.forgetNewest();
    expect(await consumer.reserve(ids(1_000))).toEqual(allOf('new', 1_000));
    await consumer.commit(ids(500));
    expect(await consumer.reserve(ids(500))).toEqual(allOf('duplicate', 500));
    await consumer.pack();
    expect(await consumer.reserve(ids(500))).toEqual(allOf('duplicate', 500));
  });

  it('is known until the last ms of the window, and not after', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(300));
    await consumer.pack(0);
    await setPackedTimes(redis.client, consumer.keys, Date.now() + 500 - WINDOW_MS);
    expect(await consumer.reserve(ids(300))).toEqual(allOf('duplicate', 300));
    await setPackedTimes(redis.client, consumer.keys, Date.now() - WINDOW_MS - 1);
    expect(await consumer.reserve(ids(300))).toEqual(allOf('new', 300));
  });

  it('is removed with the next write to its bucket', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(1_000));
    await consumer.pack(0);
    await setPackedTimes(redis.client, consumer.keys, 1);
    await consumer.commit(ids(3_000, 1_000));
    await consumer.pack(0);
    const old = (await packedRecords(redis.client, consumer.keys)).filter(({ at }) => at === 1);
    expect(old.length).toBeLessThan(10);
  });

  it('is removed by maintenance, and so is the key once nothing is left', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(1_000));
    await consumer.pack();
    expect(await consumer.sweep()).toBe(0);
    await setPackedTimes(redis.client, consumer.keys, 1);
    expect(await consumer.sweep()).toBe(900);
    expect(await redis.client.exists(consumer.keys.packedLedger)).toBe(0);
    await consumer.commit(ids(1_000));
    await consumer.pack();
    expect(await consumer.reserve(ids(1_000))).toEqual(allOf('duplicate', 1_000));
  });

  it('is looked for in every bucket ten times in a window, and no more often', async () => {
    // So long that nothing becomes due meanwhile.
    const windowMs = 1_000 * WINDOW_MS;
    const consumer = await consumerOf('at-least-once', windowMs);
    await consumer.commit(ids(4_000));
    await consumer.pack(0);
    expect(await consumer.sweep()).toBe(0);
    await setSwept(consumer, Date.now());
    expect(await consumer.sweepSteps()).toBe(0);
    // A tenth of a round: of 250 buckets 25, in steps of 10.
    await setSwept(consumer, Date.now() - windowMs / 100);
    expect(await consumer.sweepSteps(10)).toBe(3);
  });

  it('leaves fewer buckets, in which the rest is found', async () => {
    const consumer = await consumerOf();
    await consumer.commit(ids(4_000));
    await consumer.pack(0);
    const before = await bucketsOf(redis.client, consumer.keys);
    await setPackedTimes(redis.client, consumer.keys, 1);
    await consumer.commit(ids(300, 4_000));
    await consumer.pack(0);
    for (let round = 0; round < 5; round++) {
      await redis.client.hdel(consumer.keys.packedLedger, 'swept');
      await consumer.sweep();
    }
    expect(await bucketsOf(redis.client, consumer.keys)).toBeLessThan(before / 2);
    expect(await packedRecords(redis.client, consumer.keys)).toHaveLength(300);
    expect(await consumer.reserve(ids(300, 4_000))).toEqual(allOf('duplicate', 300));
    expect(await consumer.reserve(ids(4_000))).toEqual(allOf('new', 4_000));
  });

  it('does not exist if the window is longer than time', async () => {
    const consumer = await consumerOf('at-least-once', Number.MAX_SAFE_INTEGER);
    await consumer.commit(ids(300));
    await consumer.pack(0);
    expect(await consumer.sweep()).toBe(0);
    expect(await consumer.reserve(ids(400))).toEqual([
      ...allOf('duplicate', 300),
      ...allOf('new', 100),
    ]);
  });
});

const setSwept = (consumer: LedgerConsumer, at: number): Promise<number> =>
  redis.client.hset(consumer.keys.packedLedger, 'swept', `0 ${at}`);
