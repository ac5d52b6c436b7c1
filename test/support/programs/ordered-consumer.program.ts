import { setTimeout as delay } from 'node:timers/promises';

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { RedisStreamsModule, ServerRedisStreams } from 'nestjs-redis-streams';

// An app that prints which message it handles, with all defaults: for the tests of what a signal does to the
// order.
const { REDIS_URL = '', STREAM = '' } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

@Controller()
class Orders {
  @EventPattern<string>(STREAM)
  async on(@Payload() { n }: { n: number }): Promise<void> {
    say(`n ${n}`);
    await delay(1);
  }
}

@Module({
  imports: [RedisStreamsModule.forRoot({ connection: REDIS_URL, group: 'billing' })],
  controllers: [Orders],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
await app.startAllMicroservices();
await app.init();
