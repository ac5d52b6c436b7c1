/**
 * An app with two instances of the module, whose handlers, records and exceptions come from another copy of this package: the
 * other one of its two builds. Each packed app is this file, compiled differently.
 */
import 'reflect-metadata';

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { Controller, Inject, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import {
  ClientRedisStreams,
  DeadLetters,
  getStreamsToken,
  InjectStreams,
  RedisStreamsModule,
  ServerRedisStreams,
} from 'nestjs-redis-streams';
import type * as Streams from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';
import { firstValueFrom } from 'rxjs';

const load = createRequire(join(process.cwd(), 'app.js'));
const other = ['esm', 'cjs']
  .map((build): typeof Streams =>
    load(join(process.cwd(), `node_modules/nestjs-redis-streams/dist/${build}/index.js`)),
  )
  .find((copy) => copy.RedisStreamsModule !== RedisStreamsModule);
assert(other !== undefined);
const { DeadLetterException, REDIS_STREAMS, RedisStreamsRecordBuilder, streamsTransport } = other;

const got: unknown[] = [];

@Controller()
class OrdersController {
  constructor(
    @Inject(ClientRedisStreams) readonly client: ClientRedisStreams,
    @InjectStreams('audit') readonly audit: ClientRedisStreams,
    @InjectStreams(DeadLetters, 'audit') readonly lost: DeadLetters,
  ) {}

  @EventPattern<string>('orders', REDIS_STREAMS)
  onOrder(@Payload() order: unknown): void {
    got.push(order);
  }

  @EventPattern<string>('orders', streamsTransport('audit'))
  onOrderToo(): void {
    throw new DeadLetterException('no use');
  }
}

@Module({})
class AppModule {
  static register(connection: string): DynamicModule {
    const options = { connection, keyPrefix: `pack-two-${process.pid}:` };
    return {
      module: AppModule,
      imports: [
        RedisStreamsModule.forRoot({ ...options, group: 'billing' }),
        RedisStreamsModule.forRootAsync({
          name: 'audit',
          useFactory: () => ({ ...options, group: 'audit' }),
        }),
      ],
      controllers: [OrdersController],
    };
  }
}

async function main(): Promise<void> {
  const redis = await startRedis();
  const app = await NestFactory.create(AppModule.register(redis.url));
  for (const token of [ServerRedisStreams, getStreamsToken(ServerRedisStreams, 'audit')]) {
    app.connectMicroservice({ strategy: app.get(token) }, { inheritAppConfig: true });
  }
  await app.startAllMicroservices();

  const { client, audit, lost } = app.get(OrdersController);
  const record = new RedisStreamsRecordBuilder({ item: 'tea' }).setMessageId('first').build();
  await firstValueFrom(client.emit('orders', record));
  const receipt = await firstValueFrom(audit.emit<Streams.PublishReceipt>('orders', record));
  assert.equal(receipt.duplicate, true);
  while (got.length < 1 || (await lost.count({ stream: 'orders' })) < 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(got, [{ item: 'tea' }]);
  const [letter] = await lost.list({ stream: 'orders' });
  assert.equal(letter?.reason, 'no use');
  assert.equal(letter.messageId, 'first');

  await app.close();
  await redis.stop();
}

void main();
