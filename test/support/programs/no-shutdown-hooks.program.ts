import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerRedisStreams } from 'nestjs-redis-streams';

/** A program whose server reads, and which listens to SIGTERM only if `HOOKS` is set, after the server has started. */
const { REDIS_URL = '', HOOKS } = process.env;

@Module({})
class AppModule {}

const app = await NestFactory.createMicroservice(AppModule, {
  strategy: new ServerRedisStreams({ connection: REDIS_URL, group: 'billing' }),
});
await app.listen();
if (HOOKS !== undefined) app.enableShutdownHooks();
setTimeout(() => process.stdout.write('over\n'), 4_000);
