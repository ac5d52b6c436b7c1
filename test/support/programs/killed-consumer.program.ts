import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern } from '@nestjs/microservices';
import { RedisStreamsContext, ServerRedisStreams, subscription } from 'nestjs-redis-streams';

// A consumer whose handler prints that it runs and never ends: for the tests that kill it there.
const { REDIS_URL = '', STREAM = '', LEASE_MS = '', AT_MOST_ONCE, DEDUP } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

@Controller()
class Orders {
  @EventPattern<string>(STREAM, subscription({ startFrom: 'beginning' }))
  on(_data: unknown, @Ctx() context: RedisStreamsContext): Promise<void> {
    say(`running ${context.getEntryId()}`);
    return new Promise(() => undefined);
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const server = new ServerRedisStreams({
  connection: REDIS_URL,
  group: 'billing',
  delivery: AT_MOST_ONCE === undefined ? 'at-least-once' : 'at-most-once',
  ...(DEDUP === 'off' ? { dedup: false } : {}),
  recovery: { minIdleMs: Number(LEASE_MS) },
});
const app = await NestFactory.createMicroservice(AppModule, {
  strategy: server,
  logger: ['warn', 'error'],
});
await app.listen();
