import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { type RedisStreamsServerOptions, ServerRedisStreams } from 'nestjs-redis-streams';

// An idle member: for the tests that kill it.
const { STREAM = '', OPTIONS = '' } = process.env;

@Controller()
class Orders {
  @EventPattern<string>(STREAM)
  on(): void {}
}

@Module({ controllers: [Orders] })
class AppModule {}

const server = new ServerRedisStreams(JSON.parse(OPTIONS) as RedisStreamsServerOptions);
const app = await NestFactory.createMicroservice(AppModule, {
  strategy: server,
  logger: ['warn', 'error'],
});
await app.listen();
process.stdout.write('listening\n');
