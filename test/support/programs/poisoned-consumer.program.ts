import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { ServerRedisStreams, subscription } from 'nestjs-redis-streams';
import { z } from 'zod';

// A consumer that one kind of message kills at once: for the tests of what happens to that message and its
// neighbours.
const { REDIS_URL = '', STREAM = '', LEASE_MS = '', DEDUP = '', KILLED_BY = '' } = process.env;

interface Order {
  readonly poison: boolean;
  readonly n: number;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('it is dead by now');
}

@Controller()
class Orders {
  @EventPattern<string>(
    STREAM,
    subscription({
      startFrom: 'beginning',
      concurrency: 4,
      retry: { maxAttempts: 2 },
      ...(DEDUP === 'off' ? { dedup: false as const } : {}),
    }),
  )
  on(@Payload() { poison, n }: Order): void {
    if (poison) die();
    process.stdout.write(`handled ${n}\n`);
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const schema = z.custom<Order>((value) => !Object(value).poison || die());

const server = new ServerRedisStreams({
  connection: REDIS_URL,
  group: 'billing',
  consumer: 'member-1',
  streams: KILLED_BY === 'schema' ? { [STREAM]: { schema } } : {},
  recovery: { minIdleMs: Number(LEASE_MS), intervalMs: 100 },
});
const app = await NestFactory.createMicroservice(AppModule, {
  strategy: server,
  logger: ['warn', 'error'],
});
await app.listen();
