import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { ServerRedisStreams } from 'nestjs-redis-streams';
import { concat, NEVER, of } from 'rxjs';

// Replies with two values and never ends: for the tests that kill it there.
const { REDIS_URL = '', STREAM = '', LEASE_MS = '' } = process.env;

@Controller()
class Quotes {
  @MessagePattern(STREAM)
  on(data: unknown): unknown {
    process.stdout.write('running\n');
    return data === 'two values' ? concat(of(1, 2), NEVER) : NEVER;
  }
}

@Module({ controllers: [Quotes] })
class AppModule {}

const server = new ServerRedisStreams({
  connection: REDIS_URL,
  group: 'pricing',
  recovery: { minIdleMs: Number(LEASE_MS) },
});
const app = await NestFactory.createMicroservice(AppModule, {
  strategy: server,
  logger: ['warn', 'error'],
});
await app.listen();
process.stdout.write('listening\n');
