import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { firstValueFrom, toArray } from 'rxjs';

import {
  ClientRedisStreams,
  MessageEncodingError,
  PublishBatchError,
  type PublishReceipt,
  RedisStreamsError,
  RedisStreamsRecord,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { type ClientOptions, clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import type { ResetAt } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: one test takes its memory away.
const redis = redisForTests({ args: [] });
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();

const RESETS: readonly ResetAt[] = ['before-request', 'before-reply'];
const { clientFor, clientBehindProxy } = clientsForTests(redis);

const numbered = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

const withIds = (count: number, prefix = 'order'): RedisStreamsRecord<{ n: number }>[] =>
  numbered(count).map((payload) =>
    new RedisStreamsRecordBuilder(payload).setMessageId(`${prefix}-${payload.n}`).build(),
  );

const publish = (
  client: ClientRedisStreams,
  stream: string,
  items: readonly unknown[],
): Promise<PublishReceipt[]> => firstValueFrom(client.emitBatch(stream, items));

async function failure(published: Promise<unknown>): Promise<PublishBatchError> {
  const error = await published.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof PublishBatchError) return error;
  throw error;
}

const names = (stream: string) => (request: Buffer) => request.includes(stream);

const entryIds = async (stream: string): Promise<string[]> =>
  (await redis.client.xrange(stream, '-', '+')).map(([id]) => id);

const numbersIn = async (stream: string): Promise<unknown[]> =>
  (await redis.client.xrange(stream, '-', '+')).map(
    ([, fields]) => JSON.parse(fields[fields.indexOf('body') + 1] ?? '').n,
  );

/** How many of the client's commands are sent and not answered yet. */
const sentAndOpen = (client: ClientRedisStreams): number =>
  client.unwrap<{ commandQueue: { length: number } }>().commandQueue.length;

/** How often Redis executed each command meanwhile. */
async function commandsDuring(action: () => Promise<unknown>): Promise<Record<string, number>> {
  await redis.client.config('RESETSTAT');
  await action();
  const info = await redis.client.info('commandstats');
  return Object.fromEntries(
    [...info.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, calls]) => [
      name,
      Number(calls),
    ]),
  );
}

for (const publishDedup of [undefined, false] as const) {
  const options: ClientOptions = publishDedup === undefined ? {} : { publishDedup };
  describe(`a batch, publishDedup ${publishDedup === false ? 'off' : 'on'}`, () => {
    it('returns one array of receipts, one for each item, in order', async () => {
      const stream = freshName('orders');
      const client = clientFor(options);
      const record = new RedisStreamsRecordBuilder({ n: 2 }).setMessageId('order-2').build();
      const given = await firstValueFrom(
        client.emitBatch(stream, [{ n: 0 }, { n: 1 }, record]).pipe(toArray()),
      );
      expect(given).toHaveLength(1);
      const [receipts = []] = given;
      expect(receipts.map(({ entryId }) => entryId)).toEqual(await entryIds(stream));
      expect(receipts.every((receipt) => receipt.stream === stream && !receipt.duplicate)).toBe(
        true,
      );
      expect(receipts[2]?.messageId).toBe('order-2');
      expect(new Set(receipts.map(({ messageId }) => messageId)).size).toBe(3);
      expect(await numbersIn(stream)).toEqual([0, 1, 2]);
    });

    it('is sent once, at the call, however many subscribe', async () => {
      const stream = freshName('orders');
      const client = clientFor(options);
      const batch = client.emitBatch(stream, numbered(3));
      await waitFor(async () => (await redis.client.xlen(stream)) === 3);
      const first = await firstValueFrom(batch);
      expect(await firstValueFrom(batch)).toEqual(first);
      expect(await redis.client.xlen(stream)).toBe(3);
    });

    it('takes { stream, name }, as emit() does', async () => {
      const stream = freshName('orders');
      const pattern = { stream, name: 'order.created' };
      const receipts = await firstValueFrom(clientFor(options).emitBatch(pattern, numbered(2)));
      expect(receipts.map((receipt) => receipt.stream)).toEqual([stream, stream]);
      for (const [, fields] of await redis.client.xrange(stream, '-', '+')) {
        expect(fields[fields.indexOf('name') + 1]).toBe('order.created');
      }
    });

    it('of no items returns an empty array', async () => {
      expect(await publish(clientFor(options), freshName('orders'), [])).toEqual([]);
    });

    it('is sent in a single round trip if it fits', async () => {
      const stream = freshName('orders');
      const { client, proxy } = await clientBehindProxy(options);
      proxy.freeze();
      const batch = publish(client, stream, numbered(1_000));
      // All of it was sent before anything was answered.
      await waitFor(() => sentAndOpen(client) === (publishDedup === false ? 1_000 : 8));
      proxy.thaw();
      const receipts = await batch;
      expect(receipts.map(({ entryId }) => entryId)).toEqual(await entryIds(stream));
    });

    it('of 10 000 items arrives complete and in order, a bounded part of it at a time', async () => {
      const stream = freshName('orders');
      const { client, proxy } = await clientBehindProxy(options);
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, sentAndOpen(client));
      });
      proxy.freeze();
      const batch = publish(client, stream, numbered(10_000));
      await waitFor(() => most > 0);
      proxy.thaw();
      const receipts = await batch;
      clearInterval(watch);
      // One more announces that the stream is new.
      expect(most).toBeLessThanOrEqual((publishDedup === false ? 2_048 : 16) + 1);
      expect(await numbersIn(stream)).toEqual(numbered(10_000).map(({ n }) => n));
      expect(receipts.map(({ entryId }) => entryId)).toEqual(await entryIds(stream));
    });

    it('keeps its place among the calls before and after it', async () => {
      const stream = freshName('orders');
      const client = clientFor(options);
      await client.connect();
      await Promise.all([
        firstValueFrom(client.emit(stream, { n: 0 })),
        publish(client, stream, [{ n: 1 }, { n: 2 }]),
        firstValueFrom(client.emit(stream, { n: 3 })),
      ]);
      expect(await numbersIn(stream)).toEqual([0, 1, 2, 3]);
    });

    it('is not sent at all if an item cannot be encoded: the error has its index', async () => {
      const stream = freshName('orders');
      const client = clientFor(options);
      const circular: Record<string, unknown> = {};
      circular['self'] = circular;
      for (const bad of [circular, 1n, undefined, null, () => 1]) {
        const error = await publish(client, stream, [{ n: 0 }, { n: 1 }, bad, { n: 3 }]).catch(
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(MessageEncodingError);
        expect(error).toMatchObject({ stream, index: 2 });
        expect(String(error)).toContain('Item 2');
      }
      expect(await redis.client.exists(stream)).toBe(0);
    });

    it('to no stream, or that is not an array, is an error of the batch and not of an item', async () => {
      const client = clientFor(options);
      const bad: [unknown, unknown][] = [
        [Symbol('orders'), [{ n: 0 }]],
        [undefined, [{ n: 0 }]],
        [freshName('orders'), { n: 0 }],
        [freshName('orders'), 'text'],
      ];
      for (const [pattern, items] of bad) {
        const batch = client.emitBatch(pattern, items as unknown[]);
        const error = await firstValueFrom(batch).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(MessageEncodingError);
        expect(error).toMatchObject({ index: undefined });
      }
    });

    it('that Redis refuses fails with the reason, and says that nothing arrived', async () => {
      const text = freshName('text');
      await redis.client.set(text, 'not a stream');
      const error = await failure(publish(clientFor(options), text, withIds(3)));
      expect(error).toBeInstanceOf(RedisStreamsError);
      expect(error).toMatchObject({ code: 'PUBLISH_BATCH_FAILED', stream: text, ambiguous: false });
      expect(error.reason).toContain('WRONGTYPE');
      expect(error.items.map(({ state, messageId }) => [state, messageId])).toEqual(
        [0, 1, 2].map((n) => ['not-published', `order-${n}`]),
      );
    });

    it('that is refused halfway says which items arrived, and sends nothing more', async () => {
      const stream = freshName('orders');
      // Memory for two more entries.
      await redis.client.xadd(stream, '18446744073709551615-18446744073709551613', 'body', '{}');
      const client = clientFor(options);
      const error = await failure(publish(client, stream, withIds(5_000)));
      expect(error.items.map(({ state }) => state)).toEqual(
        numbered(5_000).map(({ n }) => (n < 2 ? 'published' : 'not-published')),
      );
      const [, ...written] = await entryIds(stream);
      expect(error.items.slice(0, 2)).toEqual(
        written.map((entryId, n) => ({
          state: 'published',
          messageId: `order-${n}`,
          entryId,
          duplicate: false,
        })),
      );
      expect(error.message).toContain('2 are published, 0 may be, 4998 are not');
      expect(await redis.client.xlen(stream)).toBe(3);
    });

    it('that nobody observes is logged when it fails', async () => {
      const text = freshName('text');
      await redis.client.set(text, 'not a stream');
      clientFor(options).emitBatch(text, [{ n: 1 }]);
      await waitFor(() => logged('error', text).some((line) => line.startsWith('emitBatch()')));
    });

    it('that gets no answer in time is ambiguous; unsent items are not sent later', async () => {
      const { client, proxy } = await clientBehindProxy({ ...options, publishTimeoutMs: 300 });
      const stream = freshName('orders');
      proxy.freeze();
      const error = await failure(publish(client, stream, withIds(5_000)));
      expect(error.ambiguous).toBe(true);
      const states = error.items.map(({ state }) => state);
      const sent = states.lastIndexOf('ambiguous') + 1;
      expect(sent).toBeGreaterThan(0);
      expect(sent).toBeLessThanOrEqual(2_048);
      expect(new Set(states.slice(sent))).toEqual(new Set(['not-published']));
      proxy.thaw();
      await client.close();
      await publish(clientFor(options), stream, [{ n: 5_000 }]);
      expect((await numbersIn(stream)).every((n) => Number(n) < sent || n === 5_000)).toBe(true);
    });

    it('that is under way when the client closes ends, and says which items arrived', async () => {
      const stream = freshName('orders');
      const client = clientFor(options);
      await client.connect();
      const batch = failure(publish(client, stream, withIds(10_000)));
      await client.close();
      const error = await batch;
      const states = error.items.map(({ state }) => state);
      const arrived = states.filter((state) => state === 'published').length;
      expect(error.ambiguous).toBe(false);
      expect(await redis.client.xlen(stream)).toBe(arrived);
      expect(arrived).toBeLessThan(10_000);
    });

    it('that could not connect in time was not sent', async () => {
      const client = clientFor({
        ...options,
        connection: 'redis://127.0.0.1:1',
        publishTimeoutMs: 200,
      });
      const error = await failure(publish(client, freshName('orders'), numbered(3)));
      expect(error.ambiguous).toBe(false);
      expect(error.reason).toContain('no connection');
    });

    it('reaches the handlers, each message with its ID, in order', async () => {
      const stream = freshName('orders');
      const got: [unknown, string][] = [];
      const { client } = await streamsApp(
        { connection: redis.url, group: freshName('billing'), ...options },
        {
          controllers: [
            handlerOf(
              stream,
              (order: { n: number }, context) => got.push([order.n, context.getMessageId()]),
              { startFrom: 'beginning' },
            ),
          ],
        },
      );
      await publish(client, stream, withIds(300));
      await waitFor(() => got.length === 300);
      expect(got).toEqual(numbered(300).map(({ n }) => [n, `order-${n}`]));
    });
  });
}

describe('a batch with publishDedup', () => {
  it('says of each item whether it was published before', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const [first] = await publish(client, stream, withIds(1));
    const receipts = await publish(client, stream, [...withIds(3), ...withIds(2)]);
    expect(receipts.map(({ duplicate }) => duplicate)).toEqual([true, false, false, true, true]);
    expect(receipts[0]?.entryId).toBe(first?.entryId);
    expect(await redis.client.xlen(stream)).toBe(3);
  });

  it('sends one command for many items', async () => {
    const client = clientFor();
    await client.connect();
    const {
      eval: whole = 0,
      evalsha = 0,
      xadd,
    } = await commandsDuring(() => publish(client, freshName('orders'), numbered(1_000)));
    expect(whole + evalsha).toBe(8);
    expect(xadd).toBe(1_000);
  });

  it('that failed can be published again as a whole without duplicates', async () => {
    const { client, proxy } = await clientBehindProxy({ publishTimeoutMs: 300 });
    const stream = freshName('orders');
    const patient = clientFor();
    await publish(patient, stream, withIds(100));
    proxy.freeze();
    const items = numbered(3_000);
    const error = await failure(publish(client, stream, items));
    proxy.thaw();
    const again = items.map((item, n) =>
      new RedisStreamsRecordBuilder(item).setMessageId(error.items[n]?.messageId ?? '').build(),
    );
    const receipts = await publish(patient, stream, again);
    expect(receipts).toHaveLength(3_000);
    await client.close();
    expect(await redis.client.xlen(stream)).toBe(3_100);
  });

  for (const at of RESETS) {
    it(`whose connection is reset ${at}: each message once, in order, with its receipt`, async () => {
      const { client, proxy } = await clientBehindProxy();
      const stream = freshName('orders');
      await publish(clientFor(), stream, withIds(1, 'other'));
      const items = [...withIds(1, 'other'), ...withIds(2_000), ...numbered(3_000)];
      const batch = publish(client, stream, items);
      for (let round = 0; round < 3; round++) await proxy.resetOnce(at, names(stream));
      const receipts = await batch;
      expect(receipts.map(({ duplicate }) => duplicate)).toEqual(items.map((_, n) => n === 0));
      expect(receipts.map(({ entryId }) => entryId)).toEqual(await entryIds(stream));
      const sent = [0, ...numbered(2_000).map(({ n }) => n), ...numbered(3_000).map(({ n }) => n)];
      expect(await numbersIn(stream)).toEqual(sent);
    });
  }
});

describe('a batch without publishDedup', () => {
  it('is one pipeline of XADD, and writes a repeated message ID each time', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: false });
    await client.connect();
    const commands = await commandsDuring(() =>
      publish(client, stream, [...withIds(500), ...withIds(500)]),
    );
    expect(commands).toMatchObject({ xadd: 1_000 });
    expect(commands['evalsha'] ?? commands['eval']).toBeUndefined();
    expect(await redis.client.xlen(stream)).toBe(1_000);
  });

  it('whose connection is reset reports what is known of each item, and nothing is sent again', async () => {
    const { client, proxy } = await clientBehindProxy({ publishDedup: false });
    const stream = freshName('orders');
    const sprung = proxy.resetOnce('before-reply', names(stream));
    const error = await failure(publish(client, stream, withIds(5_000)));
    await sprung;
    expect(error.ambiguous).toBe(true);
    const arrived = await redis.client.xlen(stream);
    const states = error.items.map(({ state }) => state);
    expect(states.filter((state) => state === 'published').length).toBeLessThanOrEqual(arrived);
    expect(states.filter((state) => state !== 'not-published').length).toBeGreaterThanOrEqual(
      arrived,
    );
    expect(states.filter((state) => state === 'not-published').length).toBeGreaterThanOrEqual(
      2_952,
    );
    await client.connect();
    expect(await redis.client.xlen(stream)).toBe(arrived);
  });
});
