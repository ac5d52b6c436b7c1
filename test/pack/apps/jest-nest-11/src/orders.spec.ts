import { Controller } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { ClientRedisStreams, RedisStreamsModule, ServerRedisStreams } from 'nestjs-redis-streams';
import { RedisStreamsTesting, startRedis } from 'nestjs-redis-streams/testing';
import type { StartedRedis } from 'nestjs-redis-streams/testing';
import { firstValueFrom, Subject } from 'rxjs';

const handled = new Subject<unknown>();

@Controller()
class OrdersController {
  @EventPattern('orders')
  onOrder(@Payload() order: unknown): void {
    handled.next(order);
  }
}

describe('the package in the Jest of a CommonJS project', () => {
  let redis: StartedRedis;
  let app: INestApplication;

  beforeAll(async () => {
    redis = await startRedis();
    const module = await Test.createTestingModule({
      imports: [
        RedisStreamsModule.forRoot({
          connection: redis.url,
          group: 'billing',
          keyPrefix: `pack-${process.pid}:`,
        }),
      ],
      controllers: [OrdersController],
    }).compile();
    app = module.createNestApplication();
    app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
    await app.startAllMicroservices();
  }, 60_000);

  afterAll(async () => {
    await app?.close();
    await redis?.stop();
  });

  it('publishes a message and handles it', async () => {
    const next = firstValueFrom(handled);
    await firstValueFrom(app.get(ClientRedisStreams).emit('orders', { item: 'tea' }));
    expect(await next).toEqual({ item: 'tea' });
  });

  it('waits with the test kit until a message is handled', async () => {
    const imports = [RedisStreamsModule.forRoot({ connection: 'redis://production', group: 'b' })];
    const builder = Test.createTestingModule({ imports, controllers: [OrdersController] });
    const streams = await RedisStreamsTesting.create(builder, { connection: redis.url });
    const receipt = await streams.emit('orders', { item: 'cup' });
    expect((await streams.handled(receipt)).attempt).toBe(1);
    await streams.close();
  }, 30_000);
});
