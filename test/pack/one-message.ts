/** The smallest app that publishes a message and handles it. Each packed app is this file, compiled its own way. */
import 'reflect-metadata';

import assert from 'node:assert/strict';

import { Controller, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import {
  ClientRedisStreams,
  RedisStreamsContext,
  RedisStreamsModule,
  ServerRedisStreams,
  subscription,
} from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';
import { firstValueFrom } from 'rxjs';

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

  const receipt = await firstValueFrom(app.get(ClientRedisStreams).emit('orders', { item: 'tea' }));
  assert.deepEqual(await handled, { order: { item: 'tea' }, messageId: receipt.messageId });

  // No process.exit(): what is still open after this keeps the process, and the run fails for it.
  await app.close();
  await redis.stop();
}

void main();
