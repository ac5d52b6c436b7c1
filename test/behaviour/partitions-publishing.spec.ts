import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';

import {
  CancelError,
  type ClientRedisStreams,
  PublishBatchError,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { partitionNames } from '../../lib/wire/partitions.js';
import { type ClientOptions, clientsForTests } from '../support/clients-for-tests.js';
import { emit, failed, LONG_MS, looksAt } from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { emitAll, keyed, partitionFor } from '../support/keyed-messages.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

// A separate server, because every client and server publishes any delayed message.
const redis = redisForTests({ args: [] });
const { numbersIn } = looksAt(redis);
const { clientFor, clientBehindProxy } = clientsForTests(redis);
Logger.overrideLogger(recordedLog);

const COUNT = 8;
const partitioned = (stream: string, options: ClientOptions = {}): ClientOptions => ({
  ...options,
  streams: { [stream]: { partitions: COUNT } },
});

const lengths = (stream: string): Promise<number[]> =>
  Promise.all(partitionNames(stream, COUNT).map((name) => redis.client.xlen(name)));

const total = async (stream: string): Promise<number> =>
  (await lengths(stream)).reduce((sum, length) => sum + length, 0);

/** A message with `key` that is to be published in `delayMs`. */
const laterOf = (key: string, n: number, delayMs: number, messageId: string) =>
  new RedisStreamsRecordBuilder({ n })
    .setKey(key)
    .setMessageId(messageId)
    .setDelayMs(delayMs)
    .build();

for (const publishDedup of [undefined, false] as const) {
  const options: ClientOptions = publishDedup === undefined ? {} : { publishDedup };
  describe(`publishing to a stream with partitions, publishDedup ${publishDedup === false ? 'off' : 'on'}`, () => {
    it('puts all messages of a key into one partition, in the order of the calls', async () => {
      const stream = freshName('orders');
      const client = clientFor(partitioned(stream, options));
      const keys = Array.from({ length: 20 }, (_, n) => `customer-${n}`);
      const receipts = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          emit(client, stream, keyed(keys[n % keys.length]!, { n })),
        ),
      );
      expect(receipts.every((receipt) => receipt.stream === stream)).toBe(true);
      expect(await redis.client.exists(stream)).toBe(0);
      for (const [index, key] of keys.entries()) {
        const name = partitionFor(stream, COUNT, key);
        const ofKey = (await numbersIn(name)).filter((n) => Number(n) % keys.length === index);
        expect(ofKey).toEqual(Array.from({ length: 10 }, (_, n) => n * keys.length + index));
      }
    });

    it('places messages without a key by their IDs, so that a repeated one is recognized', async () => {
      const stream = freshName('orders');
      const client = clientFor(partitioned(stream, options));
      const record = new RedisStreamsRecordBuilder({ n: 1 }).setMessageId('order-1').build();
      await emit(client, stream, record);
      const again = await emit(client, stream, record);
      expect(again.duplicate).toBe(publishDedup === undefined);
      const name = partitionFor(stream, COUNT, 'order-1');
      expect(await redis.client.xlen(name)).toBe(publishDedup === undefined ? 1 : 2);
      expect(await total(stream)).toBe(await redis.client.xlen(name));
    });

    it('gives the receipts of a batch in order, whatever the partitions', async () => {
      const stream = freshName('orders');
      const client = clientFor(partitioned(stream, options));
      const items = Array.from({ length: 5_000 }, (_, n) =>
        keyed(`customer-${n % 50}`, { n }, `order-${n}`),
      );
      const receipts = await emitAll(client, stream, items);
      expect(receipts.map(({ messageId }) => messageId)).toEqual(
        items.map(({ options: { messageId } }) => messageId),
      );
      expect(receipts.every((receipt) => receipt.stream === stream && !receipt.duplicate)).toBe(
        true,
      );
      expect(await total(stream)).toBe(5_000);
      for (const name of partitionNames(stream, COUNT)) {
        const numbers = (await numbersIn(name)).map(Number);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    });

    it('reports the result of each message of a batch if one partition refuses', async () => {
      const stream = freshName('orders');
      const client = clientFor(partitioned(stream, options));
      const refusing = partitionFor(stream, COUNT, 'customer-1');
      await redis.client.set(refusing, 'no stream');
      const items = ['customer-1', 'customer-2', 'customer-1'].map((key, n) => keyed(key, { n }));
      expect(partitionFor(stream, COUNT, 'customer-2')).not.toBe(refusing);
      const error = await failed(emitAll(client, stream, items));
      expect(error).toBeInstanceOf(PublishBatchError);
      expect((error as PublishBatchError).items.map(({ state }) => state)).toEqual([
        'not-published',
        'published',
        'not-published',
      ]);
    });

    it('applies maxLength and ttlMs in each partition that was written to', async () => {
      const stream = freshName('orders');
      const client = clientFor({
        ...options,
        streams: {
          [stream]: { partitions: COUNT, maxLength: 100, ttlMs: LONG_MS, force: true },
        },
      });
      await emitAll(
        client,
        stream,
        Array.from({ length: 4_000 }, (_, n) => keyed(`customer-${n}`, { n })),
      );
      for (const name of partitionNames(stream, COUNT)) {
        expect(await redis.client.xlen(name)).toBeLessThan(300);
        expect(await redis.client.pttl(name)).toBeGreaterThan(0);
      }
    });
  });
}

describe('a batch over partitions', () => {
  it('creates no second message when one is sent again after the connection dropped', async () => {
    const stream = freshName('orders');
    const { client, proxy } = await clientBehindProxy(partitioned(stream));
    const reset = proxy.resetOnce('before-reply', (request) => request.includes(stream));
    const receipts = await emitAll(
      client,
      stream,
      Array.from({ length: 40 }, (_, n) => keyed(`customer-${n}`, { n }, `order-${n}`)),
    );
    await reset;
    expect(receipts.some(({ duplicate }) => duplicate)).toBe(false);
    expect(await total(stream)).toBe(40);
  });
});

describe('a delayed message on a stream with partitions', () => {
  it('goes to the partition of its key', async () => {
    const stream = freshName('orders');
    const client = clientFor(partitioned(stream));
    const receipt = await emit(client, stream, laterOf('customer-1', 1, 50, 'order-1'));
    expect(receipt).toEqual({ stream, entryId: null, messageId: 'order-1', duplicate: false });
    const name = partitionFor(stream, COUNT, 'customer-1');
    await waitFor(async () => (await redis.client.xlen(name)) === 1);
    expect(await total(stream)).toBe(1);
  });

  const waiting = async (stream: string): Promise<number> => {
    const counts = await Promise.all(
      partitionNames(stream, COUNT).map((name) => redis.client.zcard(`stream:${name}:delayed`)),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };

  it('is cancelled by its ID alone, whatever its key', async () => {
    const stream = freshName('orders');
    const client: ClientRedisStreams = clientFor(partitioned(stream));
    for (let n = 0; n < 10; n++) {
      await emit(client, stream, laterOf(`customer-${n}`, n, LONG_MS, `order-${n}`));
    }
    expect(await client.cancel(stream, 'order-3')).toBe(true);
    expect(await waiting(stream)).toBe(9);
    expect(await client.cancel(stream, 'order-3')).toBe(false);
  });

  it('is cancelled once if the answer was lost', async () => {
    const stream = freshName('orders');
    const { client, proxy } = await clientBehindProxy(partitioned(stream));
    await emit(client, stream, laterOf('customer-1', 1, LONG_MS, 'order-1'));
    const reset = proxy.resetOnce('before-reply', (request) => request.includes('cancelled'));
    expect(await client.cancel(stream, 'order-1')).toBe(true);
    await reset;
    expect(await waiting(stream)).toBe(0);
  });

  it('is cancelled even if another partition refuses; the refusal is reported if none has it', async () => {
    const stream = freshName('orders');
    const client = clientFor(partitioned(stream));
    await emit(client, stream, laterOf('customer-1', 1, LONG_MS, 'order-1'));
    const other = partitionNames(stream, COUNT).find(
      (name) => name !== partitionFor(stream, COUNT, 'customer-1'),
    )!;
    await redis.client.set(`stream:${other}:delayed:messages`, 'no hash');
    expect(await client.cancel(stream, 'order-1')).toBe(true);
    expect(await failed(client.cancel(stream, 'order-1'))).toBeInstanceOf(CancelError);
  });
});
