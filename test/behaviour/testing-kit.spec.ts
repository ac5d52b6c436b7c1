import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import type { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetterException,
  FieldCodec,
  RedisStreamsContext,
  RedisStreamsModule,
  RetryException,
  ServerRedisStreams,
} from '../../lib/index.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { packLedgerScript } from '../../lib/redis/scripts/ledger/pack-ledger.script.js';
import {
  RedisStreamsTesting,
  type RedisStreamsTestingOptions,
  StreamsTestingError,
  type TestedApp,
} from '../../lib/testing/index.js';
import { failed, later } from '../support/delayed-messages.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';

@Injectable()
class Orders {
  readonly seen: unknown[] = [];
  isMended = false;

  take(order: unknown): unknown {
    return this.seen.push(order);
  }
}

interface Order {
  readonly n?: number;
  readonly failures?: number;
  readonly hang?: number;
  readonly waitMs?: number;
  readonly isBad?: boolean;
}

@Controller()
class OrdersController {
  constructor(
    private readonly orders: Orders,
    private readonly client: ClientRedisStreams,
  ) {}

  @EventPattern<string>('orders')
  async onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext): Promise<void> {
    if (order.isBad === true && !this.orders.isMended) throw new DeadLetterException('it is bad');
    if ((order.failures ?? 0) >= context.getAttempt()) throw new Error('no stock');
    if (order.waitMs !== undefined) throw new RetryException({ delayMs: order.waitMs });
    if (order.hang !== undefined) await new Promise((resolve) => setTimeout(resolve, order.hang));
    this.orders.take(order);
    this.client.emit({ stream: 'invoices', name: 'invoice.made' }, { of: order.n ?? 0 });
  }

  @EventPattern({ stream: 'invoices', name: 'invoice.made' })
  onInvoice(): void {}
}

/** Where an app would connect by itself: nothing answers there. */
const ELSEWHERE = 'redis://127.0.0.1:1';

@Module({
  imports: [
    RedisStreamsModule.forRootAsync({
      useFactory: () =>
        Promise.resolve({
          connection: ELSEWHERE,
          group: 'orders-service',
          keyPrefix: 'production:',
          retry: { maxAttempts: 3 },
        }),
    }),
  ],
  controllers: [OrdersController],
  providers: [Orders],
  exports: [Orders],
})
class AppModule {}

@Module({})
class RootModule {}

const QUICK = {
  retry: { maxAttempts: 3, backoff: { type: 'fixed', delayMs: 10, jitter: 0 } },
} as const;

describe('RedisStreamsTesting', () => {
  const redis = redisForTests();
  const opened: RedisStreamsTesting[] = [];

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((streams) => streams.close()));
  });

  async function create(
    tested: TestedApp = AppModule,
    options: RedisStreamsTestingOptions = {},
  ): Promise<RedisStreamsTesting> {
    const streams = await RedisStreamsTesting.create(tested, {
      connection: redis.url,
      logger: false,
      ...options,
    });
    opened.push(streams);
    return streams;
  }

  it('starts an app on its own keys, whatever the app configures, and resolves when a message is handled', async () => {
    const streams = await create();
    const receipt = await streams.emit('orders', { n: 1 });
    expect(await streams.handled(receipt)).toMatchObject({
      stream: 'orders',
      group: 'orders-service',
      messageId: receipt.messageId,
      entryId: receipt.entryId,
      attempt: 1,
    });
    expect(streams.get(Orders).seen).toEqual([{ n: 1 }]);
    expect(await redis.client.exists(`${streams.keyPrefix}orders`)).toBe(1);
    expect(await streams.historyOf(receipt)).toMatchObject({ state: { kind: 'handled' } });
    // Even if that was long ago.
    await streams.handled(receipt.messageId, { timeoutMs: 1 });
    // Even if its ledger is packed.
    const { ledger, packedLedger } = streamKeys(streams.keyPrefix, 'orders', 'orders-service');
    await packLedgerScript.run(redis.client, [ledger, packedLedger], [60_000, 0, 10]);
    expect(await redis.client.exists(ledger)).toBe(0);
    expect(await streams.historyOf(receipt)).toMatchObject({
      state: { kind: 'handled', handledAt: expect.any(Date) },
    });
  });

  it('separates apps that run at the same time', async () => {
    const [one, other] = await Promise.all([create(), create()]);
    expect(one.keyPrefix).not.toBe(other.keyPrefix);
    const receipt = await one.emit('orders', { n: 1 });
    await one.handled(receipt);
    await other.drained();
    expect(other.get(Orders).seen).toEqual([]);
    expect(await other.historyOf(receipt)).toMatchObject({
      events: [],
      state: { kind: 'unknown' },
    });
  });

  it('takes metadata, and a dynamic module', async () => {
    const asMetadata = await create({ imports: [AppModule] });
    await asMetadata.handled(await asMetadata.emit('orders', { n: 1 }));
    const asDynamic = await create({ module: RootModule, imports: [AppModule] });
    await asDynamic.handled(await asDynamic.emit('orders', { n: 2 }));
    expect([asMetadata, asDynamic].map((each) => each.get(Orders).seen)).toEqual([
      [{ n: 1 }],
      [{ n: 2 }],
    ]);
  });

  it('takes a testing module with overridden providers', async () => {
    const take = jest.fn();
    const builder = Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(Orders)
      .useValue({ take });
    const streams = await create(builder);
    await streams.handled(await streams.emit('orders', { n: 7 }));
    expect(take).toHaveBeenCalledWith({ n: 7 });
  });

  it('takes an app with HTTP, connected already or not', async () => {
    for (const connects of [false, true]) {
      const streams = await create({
        app: async () => {
          const app = await NestFactory.create(AppModule, { logger: recordedLog });
          if (connects) app.connectMicroservice({ strategy: app.get(ServerRedisStreams) });
          return app;
        },
      });
      await streams.handled(await streams.emit('orders', { n: 1 }));
      expect(streams.get(Orders).seen).toHaveLength(1);
      expect(streams.app).toHaveProperty('getHttpServer');
    }
  });

  it('refuses an app without the module, and one that was created before', async () => {
    expect(await failed(create({ controllers: [] }))).toMatchObject({ code: 'STREAMS_TESTING' });
    const mine = await NestFactory.create(AppModule, { logger: recordedLog });
    expect(await failed(create({ app: () => mine }))).toMatchObject({
      message: expect.stringContaining('made before'),
    });
  });

  it.each<[string, object]>([
    ['RedisStreamsTesting.timeoutMs', { timeoutMs: 0 }],
    ['RedisStreamsTesting.url', { url: 'redis://127.0.0.1' }],
    ['RedisStreamsTesting.options', { options: 7 }],
    ['batchSize', { options: { batchSize: 0 } }],
  ])('refuses a wrong option: %s', async (path, options) => {
    await expect(create(AppModule, options)).rejects.toThrow(path);
  });

  it('refuses invalid arguments of its waits', async () => {
    const streams = await create();
    await expect(streams.handled('x', { timeoutMs: -1 })).rejects.toThrow('handled.timeoutMs');
    await expect(streams.retried('x', { attempt: 0 })).rejects.toThrow('retried.attempt');
    await expect(streams.drained({ retries: 'no' as 'wait' })).rejects.toThrow('drained.retries');
  });

  it('waits for retries, any or a certain one, and for the success after them', async () => {
    const streams = await create(AppModule, { options: QUICK });
    const receipt = await streams.emit('orders', { failures: 2 });
    expect(await streams.retried(receipt)).toMatchObject({ attempt: 1, delayMs: 10 });
    expect(await streams.retried(receipt, { attempt: 2 })).toMatchObject({ attempt: 2 });
    expect(await streams.handled(receipt)).toMatchObject({ attempt: 3 });
    const { attempts, events } = await streams.historyOf(receipt);
    expect(attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'handled'],
    ]);
    expect(attempts[0]?.error).toMatchObject({ message: 'no stock' });
    expect(events.filter(({ what }) => what === 'settled')).toHaveLength(3);
  });

  it('waits for a dead letter, and for the success of its redrive', async () => {
    const streams = await create();
    const receipt = await streams.emit('orders', { isBad: true });
    expect(await streams.deadLettered(receipt)).toMatchObject({ attempts: 1, reason: 'it is bad' });
    const [letter] = await streams.deadLetters.list({ stream: 'orders' });
    expect(letter).toMatchObject({ messageId: receipt.messageId });
    expect((await streams.historyOf(receipt)).state).toMatchObject({
      kind: 'dead-letter',
      reason: 'it is bad',
      isRedriven: false,
    });
    streams.get(Orders).isMended = true;
    await streams.deadLetters.redrive({ stream: 'orders' });
    await streams.handled(receipt);
    await streams.drained();
    expect(await streams.historyOf(receipt)).toMatchObject({
      attempts: [{ outcome: 'failed' }, { outcome: 'handled' }],
      state: { kind: 'handled' },
    });
  });

  it('fails at once if what is waited for cannot happen any more, and says why', async () => {
    const streams = await create();
    const bad = await streams.emit('orders', { isBad: true });
    const error = await failed(streams.handled(bad));
    expect(error).toBeInstanceOf(StreamsTestingError);
    expect(String(error)).toMatch(/will not be handled: it was dead-lettered/);
    expect(String(error)).toMatch(/attempt 1 failed: .*it is bad/);
    expect(String(error)).toMatch(/In Redis: dead letter \S+ after 1 attempt: it is bad/);
    const good = await streams.emit('orders', {});
    await expect(streams.deadLettered(good)).rejects.toThrow('it was handled');
    const unwanted = await streams.emit({ stream: 'invoices', name: 'other' }, {});
    await expect(streams.handled(unwanted)).rejects.toThrow('no handler matched it (name "other")');
  });

  it('says what is known when the time is over: unknown, pending, waiting for an attempt, delayed', async () => {
    const streams = await create();
    const late = (which: string): Promise<string> =>
      failed(streams.handled(which, { timeoutMs: 150 })).then(String);
    expect(await late('nobody')).toMatch(/not handled within 150 ms.*nothing of it/s);

    const waiting = await streams.emit('orders', { waitMs: 60_000 });
    await streams.retried(waiting);
    expect(await late(waiting.messageId)).toMatch(
      /received as entry.*next attempt in 60000 ms.*waiting for its next attempt in [56]\d{4} ms, 1 attempt used/s,
    );

    const delayed = await streams.emit('orders', later({}, 60_000));
    expect(await late(delayed.messageId)).toMatch(/to be published in [56]\d{4} ms/);

    const hanging = await streams.emit('orders', { hang: 1_000 });
    expect(await late(hanging.messageId)).toMatch(
      /pending with consumer test-\w+, delivered 1 times/,
    );
    const unread = await streams.emit('not-subscribed', {});
    expect(await late(unread.messageId)).toMatch(/which is not yet delivered to the group/);
    await streams.handled(hanging);
  });

  it('waits for a message that the app publishes itself, by stream and name', async () => {
    const streams = await create();
    const made = streams.handled({ stream: 'invoices', name: 'invoice.made' });
    await streams.emit('orders', { n: 3 });
    expect(await made).toMatchObject({ stream: 'invoices', name: 'invoice.made' });
    await expect(streams.handled({ stream: 'other' }, { timeoutMs: 50 })).rejects.toThrow(
      /A message of stream "other" was not handled within 50 ms.*orders \S+: received/s,
    );
  });

  it('finds a message whose codec carries no message ID by its entry', async () => {
    const streams = await create(AppModule, {
      options: { streams: { orders: { codec: new FieldCodec({ field: 'data' }) } } },
    });
    const good = await streams.emit('orders', { n: 1 });
    const { entryId } = await streams.handled(good);
    expect(entryId).toBe(good.entryId);
    expect((await streams.handled(good.messageId)).entryId).toBe(good.entryId);
    expect((await streams.historyOf(good)).state.kind).toBe('handled');
    expect((await streams.historyOf(good.messageId)).state.kind).toBe('handled');
    // As if the app had published it.
    const own = await firstValueFrom(streams.client.emit('orders', { failures: 1, n: 2 }));
    await streams.retried(own);
    await streams.handled(own);
    const bad = await streams.emit('orders', { isBad: true });
    await streams.deadLettered(bad);
    await expect(streams.handled(bad)).rejects.toThrow('it was dead-lettered');
  });

  it('waits for a thousand messages at once', async () => {
    const streams = await create(AppModule, { options: { concurrency: 100 } });
    const receipts = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => streams.emit('orders', { n })),
    );
    await Promise.all(receipts.map((receipt) => streams.handled(receipt, { timeoutMs: 60_000 })));
    expect(streams.get(Orders).seen).toHaveLength(1_000);
  });

  it('is drained once nothing is unread or pending, including retries unless they are left', async () => {
    const streams = await create();
    for (let n = 0; n < 50; n++) await streams.emit('orders', { n });
    await streams.drained();
    expect(streams.get(Orders).seen).toHaveLength(50);

    await streams.retried(await streams.emit('orders', { waitMs: 60_000 }));
    await streams.drained({ retries: 'leave' });
    await expect(streams.drained({ timeoutMs: 100 })).rejects.toThrow(
      'stream "orders": 1 waiting for another attempt',
    );
  });

  it('is not drained while at-most-once still runs what it has acknowledged', async () => {
    for (const dedup of [undefined, false] as const) {
      const options = { delivery: 'at-most-once', ...(dedup === false ? { dedup } : {}) } as const;
      const streams = await create(AppModule, { options });
      await streams.emit('orders', { hang: 300 });
      await streams.drained();
      expect(streams.get(Orders).seen).toHaveLength(1);
    }
  });

  it('leaves no key when it is closed, and ends pending waits', async () => {
    const streams = await create();
    await streams.deadLettered(await streams.emit('orders', { isBad: true }));
    await streams.handled(await streams.emit('orders', {}));
    await streams.emit('orders', later({}, 60_000));
    const { keyPrefix } = streams;
    expect((await keysOf(redis.client, keyPrefix)).length).toBeGreaterThan(3);
    const waiting = failed(streams.handled('nobody'));
    await streams.close();
    await streams.close();
    expect(String(await waiting)).toContain('was closed');
    expect(await keysOf(redis.client, keyPrefix)).toEqual([]);
    expect(JSON.stringify(await redis.client.hkeys('stream:delayed-streams'))).not.toContain(
      keyPrefix,
    );
  });
});

describe('RedisStreamsTesting without a connection', () => {
  it('finds or starts a Redis', async () => {
    const streams = await RedisStreamsTesting.create(AppModule, { logger: false });
    await streams.handled(await streams.emit('orders', { n: 1 }));
    expect(streams.get(Orders).seen).toEqual([{ n: 1 }]);
    await streams.close();
  });

  it('reports that the given Redis does not answer', async () => {
    const opening = RedisStreamsTesting.create(AppModule, { connection: ELSEWHERE, logger: false });
    await expect(opening).rejects.toThrow('Redis does not answer');
  });
});

const keysOf = (client: Redis, prefix: string): Promise<string[]> => client.keys(`*${prefix}*`);
