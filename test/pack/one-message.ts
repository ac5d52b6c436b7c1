/**
 * The smallest app that publishes a message and handles it, sends a request and answers it. Each packed app
 * is this file, compiled differently.
 */
import 'reflect-metadata';

import assert from 'node:assert/strict';

import { Controller, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  ClientRedisStreams,
  RedisStreamsContext,
  RedisStreamsModule,
  ServerRedisStreams,
  subscription,
} from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';
import { firstValueFrom, lastValueFrom, of, toArray, type Observable } from 'rxjs';

interface Order {
  readonly item: string;
}

let handle: (handled: { order: Order; messageId: string }) => void;
const handled = new Promise<{ order: Order; messageId: string }>((resolve) => {
  handle = resolve;
});

@Controller()
class OrdersController {
  @EventPattern<string>('orders', subscription({ concurrency: 2 }))
  onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext): void {
    handle({ order, messageId: context.getMessageId() });
  }

  @MessagePattern('quotes')
  onQuote(@Payload() order: Order): Observable<string> {
    if (order.item === '') throw new RpcException('what?');
    return of(order.item, 'costs');
  }
}

@Module({})
class AppModule {
  static register(connection: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        RedisStreamsModule.forRoot({
          connection,
          group: 'billing',
          keyPrefix: `pack-${process.pid}:`,
        }),
      ],
      controllers: [OrdersController],
    };
  }
}

async function main(): Promise<void> {
  const redis = await startRedis();
  const app = await NestFactory.create(AppModule.register(redis.url));
  app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
  await app.startAllMicroservices();

  const client = app.get(ClientRedisStreams);
  const receipt = await firstValueFrom(client.emit('orders', { item: 'tea' }));
  assert.deepEqual(await handled, { order: { item: 'tea' }, messageId: receipt.messageId });

  const ask = (item: string): Promise<unknown> =>
    lastValueFrom(client.send('quotes', { item }).pipe(toArray()));
  assert.deepEqual(await ask('tea'), ['tea', 'costs']);
  await assert.rejects(ask(''), { status: 'error', message: 'what?' });

  // No process.exit(): anything still open after this keeps the process running, and the run fails.
  await app.close();
  await redis.stop();
}

void main();
