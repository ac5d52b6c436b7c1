import 'reflect-metadata';

import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { RedisStreamsContext, RedisStreamsModule } from 'nestjs-redis-streams';
import { RedisStreamsTesting } from 'nestjs-redis-streams/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

@Injectable()
class Bills {
  readonly all: unknown[] = [];
}

@Controller()
class OrdersController {
  // Vitest compiles with esbuild, which emits no type metadata for Nest.
  constructor(@Inject(Bills) private readonly bills: Bills) {}

  @EventPattern<string>('orders')
  onOrder(@Payload() order: { bad?: boolean }, @Ctx() context: RedisStreamsContext): void {
    if (order.bad === true) throw new Error('no such customer');
    if (context.getAttempt() === 1) throw new Error('not yet');
    this.bills.all.push(order);
  }
}

@Module({
  imports: [RedisStreamsModule.forRoot({ connection: 'redis://production', group: 'billing' })],
  controllers: [OrdersController],
  providers: [Bills],
})
class AppModule {}

describe('the test kit in Vitest', () => {
  let streams: RedisStreamsTesting;

  beforeAll(async () => {
    streams = await RedisStreamsTesting.create(
      Test.createTestingModule({ imports: [AppModule] }).setLogger({
        log: () => undefined,
        warn: () => undefined,
        error: () => undefined,
      }),
      {
        options: { retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 10 } } },
        timeoutMs: 30_000,
      },
    );
  }, 60_000);
  afterAll(() => streams.close());

  it('waits until a message was retried and handled', async () => {
    const receipt = await streams.emit('orders', { item: 'tea' });
    await streams.retried(receipt);
    expect((await streams.handled(receipt)).attempt).toBe(2);
    expect(streams.get(Bills).all).toEqual([{ item: 'tea' }]);
  }, 60_000);

  it('waits until a message is a dead letter', async () => {
    const receipt = await streams.emit('orders', { bad: true });
    expect((await streams.deadLettered(receipt)).attempts).toBe(2);
    expect((await streams.historyOf(receipt)).attempts).toHaveLength(2);
  }, 60_000);
});
