import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { ServerRedisStreams, subscription } from 'nestjs-redis-streams';

// A consumer that one kind of message kills at once: for the tests of what becomes of that, and of its neighbours.
const { REDIS_URL = '', STREAM = '', LEASE_MS = '', DEDUP = '' } = process.env;

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
  on(@Payload() { poison, n }: { poison: boolean; n: number }): void {
    if (poison) process.kill(process.pid, 'SIGKILL');
    process.stdout.write(`handled ${n}\n`);
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const server = new ServerRedisStreams({
  connection: REDIS_URL,
  group: 'billing',
  consumer: 'member-1',
  recovery: { minIdleMs: Number(LEASE_MS), intervalMs: 100 },
});
const app = await NestFactory.createMicroservice(AppModule, {
  strategy: server,
  logger: ['warn', 'error'],
});
await app.listen();
