import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  InvalidOptionsError,
  MessageEncodingError,
  type PublishLimits,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();

type Options = NonNullable<ConstructorParameters<typeof ClientRedisStreams>[0]>;

const clients = new Set<ClientRedisStreams>();

afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()));
  clients.clear();
});

function clientFor(options: Options): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection: redis.url, ...options });
  clients.add(client);
  return client;
}

const numbered = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

const recordOf = (messageId: string) =>
  new RedisStreamsRecordBuilder({}).setMessageId(messageId).build();

/** Both methods of publishing. */
const WAYS = {
  emit: (client: ClientRedisStreams, stream: string, payloads: readonly unknown[]) =>
    Promise.all(payloads.map((payload) => firstValueFrom(client.emit(stream, payload)))),
  emitBatch: (client: ClientRedisStreams, stream: string, payloads: readonly unknown[]) =>
    firstValueFrom(client.emitBatch(stream, payloads)),
} as const;

const lastNumberIn = async (stream: string): Promise<unknown> => {
  const [last] = await redis.client.xrevrange(stream, '+', '-', 'COUNT', 1);
  const fields = last?.[1] ?? [];
  return JSON.parse(fields[fields.indexOf('body') + 1] ?? '').n;
};

for (const publishDedup of [undefined, false] as const) {
  for (const [way, publish] of Object.entries(WAYS)) {
    const clientOf = (stream: string, limits: PublishLimits): ClientRedisStreams =>
      clientFor({
        streams: { [stream]: limits },
        ...(publishDedup === undefined ? {} : { publishDedup }),
      });

    describe(`${way}, publishDedup ${publishDedup === false ? 'off' : 'on'}`, () => {
      it('keeps about maxLength entries of a stream, the newest', async () => {
        const [stream, other] = [freshName('orders'), freshName('parcels')];
        const client = clientOf(stream, { maxLength: 200, force: true });
        await publish(client, stream, numbered(1_500));
        await publish(client, other, numbered(1_500));
        expect(await redis.client.xlen(stream)).toBeGreaterThanOrEqual(200);
        expect(await redis.client.xlen(stream)).toBeLessThan(200 + 2 * 128);
        expect(await lastNumberIn(stream)).toBe(1_499);
        expect(await redis.client.xlen(other)).toBe(1_500);
        expect(await redis.client.pttl(stream)).toBe(-1);
      });

      it('trims a stream that was too long before to maxLength', async () => {
        const stream = freshName('orders');
        await addEntries(redis.client, stream, numbered(5_000));
        await publish(clientOf(stream, { maxLength: 100, force: true }), stream, [{ n: 5_000 }]);
        expect(await redis.client.xlen(stream)).toBeLessThan(300);
        expect(await lastNumberIn(stream)).toBe(5_000);
      });

      it('lets a stream expire ttlMs after the last entry, and no other stream', async () => {
        const [stream, other] = [freshName('progress'), freshName('orders')];
        const client = clientOf(stream, { ttlMs: 30_000, force: true });
        await publish(client, stream, numbered(2));
        await publish(client, other, numbered(2));
        expect(await redis.client.pttl(stream)).toBeGreaterThan(10_000);
        expect(await redis.client.pttl(stream)).toBeLessThanOrEqual(30_000);
        expect(await redis.client.pttl(other)).toBe(-1);
        await redis.client.pexpire(stream, 5_000);
        await publish(client, stream, [{ n: 2 }]);
        expect(await redis.client.pttl(stream)).toBeGreaterThan(10_000);
        expect(await redis.client.xlen(stream)).toBe(3);
      });

      it('leaves nothing of a stream that only publishers used', async () => {
        const stream = freshName('progress');
        const client = clientFor({
          streams: { [stream]: { ttlMs: 100, maxLength: 10, force: true } },
          publishDedup: publishDedup ?? { windowMs: 100 },
        });
        await publish(client, stream, numbered(5));
        await waitFor(async () => (await redis.client.exists(stream)) === 0);
        // Records of given IDs stay for a minute and twice publishTimeoutMs; here none were given.
        await waitFor(async () => (await redis.client.keys(`*${stream}*`)).length === 0);
      });

      it('a stream that expired while it has readers without ttlMs comes back with the next message', async () => {
        const stream = freshName('progress');
        const got: number[] = [];
        const client = clientOf(stream, { ttlMs: 150, force: true });
        await streamsApp(
          { connection: redis.url, group: freshName('billing'), blockMs: 200 },
          { controllers: [handlerOf(stream, ({ n }: { n: number }) => got.push(n))] },
        );
        for (const n of [0, 1, 2]) {
          await publish(client, stream, [{ n }]);
          await waitFor(() => got.includes(n));
          // It is gone, or created again by its reader: without its entries.
          await waitFor(async () => (await redis.client.xlen(stream)) === 0);
        }
        expect(got).toEqual([0, 1, 2]);
      });

      it('refuses what is larger than maxPayloadBytes, and sends nothing of it', async () => {
        const stream = freshName('orders');
        const client = clientFor({
          maxPayloadBytes: 500,
          ...(publishDedup === undefined ? {} : { publishDedup }),
        });
        const error = await publish(client, stream, [{ text: 'é'.repeat(250) }]).catch(
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(MessageEncodingError);
        expect(String(error)).toMatch(/takes 5[0-9][0-9] bytes.*maxPayloadBytes is 500/);
        expect(await redis.client.exists(stream)).toBe(0);
        await publish(client, stream, [{ text: 'e'.repeat(250) }]);
        expect(await redis.client.xlen(stream)).toBe(1);
      });
    });
  }
}

describe('maxPayloadBytes', () => {
  it('is 1 MiB unless set', async () => {
    const stream = freshName('orders');
    const client = clientFor({});
    await firstValueFrom(client.emit(stream, 'x'.repeat(1_048_000)));
    await expect(firstValueFrom(client.emit(stream, 'x'.repeat(1_048_576)))).rejects.toThrow(
      'maxPayloadBytes is 1048576',
    );
  });

  it('counts encoded bytes: a Buffer takes a third more', async () => {
    const client = clientFor({ maxPayloadBytes: 1_000 });
    const stream = freshName('orders');
    await firstValueFrom(client.emit(stream, Buffer.alloc(600)));
    await expect(firstValueFrom(client.emit(stream, Buffer.alloc(700)))).rejects.toThrow(
      /takes 1\d\d\d bytes/,
    );
  });

  it('may be reached exactly', async () => {
    const stream = freshName('orders');
    await firstValueFrom(clientFor({}).emit(stream, recordOf('order-1')));
    const [[, fields = []] = []] = await redis.client.xrange(stream, '-', '+');
    const bytes = Buffer.byteLength(fields.join(''));
    const exact = clientFor({ maxPayloadBytes: bytes });
    await firstValueFrom(exact.emit(stream, recordOf('order-2')));
    const less = clientFor({ maxPayloadBytes: bytes - 1 });
    await expect(firstValueFrom(less.emit(stream, recordOf('order-3')))).rejects.toThrow(
      `it takes ${bytes} bytes, and maxPayloadBytes is ${bytes - 1}`,
    );
  });

  it('of one item of a batch: nothing of the batch is sent', async () => {
    const stream = freshName('orders');
    const client = clientFor({ maxPayloadBytes: 500 });
    const batch = client.emitBatch(stream, [{ n: 0 }, { text: 'x'.repeat(500) }]);
    await expect(firstValueFrom(batch)).rejects.toMatchObject({ index: 1 });
    expect(await redis.client.exists(stream)).toBe(0);
  });
});

describe('limits at publishing', () => {
  it('are not applied for a duplicate: it writes nothing, and extends no expiry', async () => {
    const stream = freshName('progress');
    const client = clientFor({ streams: { [stream]: { ttlMs: 30_000, force: true } } });
    await firstValueFrom(client.emit(stream, recordOf('step-1')));
    await redis.client.pexpire(stream, 5_000);
    const { duplicate } = await firstValueFrom(client.emit(stream, recordOf('step-1')));
    expect(duplicate).toBe(true);
    expect(await redis.client.pttl(stream)).toBeLessThanOrEqual(5_000);
  });

  it('that expire a stream leave its message IDs published', async () => {
    const stream = freshName('progress');
    const client = clientFor({ streams: { [stream]: { ttlMs: 50, force: true } } });
    const first = await firstValueFrom(client.emit(stream, recordOf('step-1')));
    await waitFor(async () => (await redis.client.exists(stream)) === 0);
    const again = await firstValueFrom(client.emit(stream, recordOf('step-1')));
    expect(again).toEqual({ ...first, duplicate: true });
    expect(await redis.client.exists(stream)).toBe(0);
  });

  it("are looked up by the stream's name, whatever prefix is put before it", async () => {
    const stream = freshName('orders');
    const client = clientFor({
      keyPrefix: 'test:',
      streams: { [stream]: { ttlMs: 30_000, force: true } },
    });
    await firstValueFrom(client.emit(stream, {}));
    expect(await redis.client.pttl(`test:${stream}`)).toBeGreaterThan(0);
  });

  it('that Redis does not let a client set are logged, and the message is published', async () => {
    const stream = freshName('orders');
    const user = freshName('publisher');
    await redis.client.call('ACL', 'SETUSER', user, 'on', '>pw', '~*', '+@all', '-pexpire');
    try {
      const url = new URL(redis.url);
      const client = clientFor({
        connection: `redis://${user}:pw@${url.host}`,
        publishDedup: false,
        streams: { [stream]: { ttlMs: 30_000, force: true } },
      });
      await firstValueFrom(client.emit(stream, {}));
      expect(await redis.client.xlen(stream)).toBe(1);
      expect(logged('warn', stream).join()).toContain('ttlMs');
    } finally {
      await redis.client.call('ACL', 'DELUSER', user);
    }
  });

  it('need force: true', () => {
    for (const limit of [{ maxLength: 10 }, { ttlMs: 10 }, { maxLength: 10, force: false }]) {
      const streams = { orders: limit } as unknown as Record<string, PublishLimits>;
      expect(() => new ClientRedisStreams({ streams })).toThrow(InvalidOptionsError);
      expect(() => new ClientRedisStreams({ streams })).toThrow('streams.orders.force');
    }
  });
});

describe('a stream that expires while a message of it waits for a retry', () => {
  it('takes the message with it, and its group continues', async () => {
    const [stream, group] = [freshName('progress'), freshName('billing')];
    const got: number[] = [];
    const client = clientFor({ streams: { [stream]: { ttlMs: 300, force: true } } });
    const { monitor } = await streamsApp(
      {
        connection: redis.url,
        group,
        blockMs: 200,
        retry: { backoff: { type: 'fixed', delayMs: 1_000 } },
      },
      {
        controllers: [
          handlerOf(stream, ({ n }: { n: number }) => {
            got.push(n);
            if (n === 0) throw new Error('not yet');
          }),
        ],
      },
    );
    await firstValueFrom(client.emit(stream, { n: 0 }));
    await waitFor(() => monitor.getStats().counts.retried === 1);
    await waitFor(async () => (await redis.client.xlen(stream)) === 0);
    const retries = `stream:{${stream}}:group:${group}:retries`;
    await waitFor(async () => (await redis.client.exists(retries)) === 0);
    await firstValueFrom(client.emit(stream, { n: 1 }));
    await waitFor(() => got.includes(1));
    expect(got).toEqual([0, 1]);
    expect(await redis.client.keys(`stream:{${stream}}:group:${group}:*`)).not.toContain(
      `stream:{${stream}}:group:${group}:attempts`,
    );
  });
});

describe('the ordering key', () => {
  it('of a record is available to the handler; without one there is none', async () => {
    const stream = freshName('orders');
    const keys: (string | undefined)[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: freshName('billing') },
      { controllers: [handlerOf(stream, (_, context) => keys.push(context.getKey()))] },
    );
    const keyed = new RedisStreamsRecordBuilder({}).setKey('customer-7').build();
    await firstValueFrom(app.client.emitBatch(stream, [keyed, {}]));
    await app.emit(stream, keyed);
    await waitFor(() => keys.length === 3);
    expect(keys).toEqual(['customer-7', undefined, 'customer-7']);
    const [[, fields = []] = []] = await redis.client.xrange(stream, '-', '+');
    expect(fields[fields.indexOf('key') + 1]).toBe('customer-7');
  });

  it('must be a non-empty string', async () => {
    const client = clientFor({});
    for (const key of ['', 7]) {
      const record = new RedisStreamsRecordBuilder({}).setKey(key as string).build();
      await expect(firstValueFrom(client.emit(freshName('orders'), record))).rejects.toThrow('key');
    }
  });
});
