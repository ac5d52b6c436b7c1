import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { onStreamsEvent, ServerRedisStreams, subscription } from 'nestjs-redis-streams';

// A service with a listener that throws, which continues after uncaught exceptions. Jest replaces `process`,
// so this needs a separate one.
const { REDIS_URL = '', STREAM = '' } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

process.on('uncaughtException', (error) => say(`uncaught: ${error.message}`));
for (const name of ['received', 'handled'] as const) {
  onStreamsEvent(`nestjs-redis-streams:message:${name}`, () => {
    throw new Error(`in the listener of ${name}`);
  });
}

@Controller()
class Orders {
  @EventPattern<string>(STREAM, subscription({ startFrom: 'beginning' }))
  on(): void {
    say('handled');
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const app = await NestFactory.createMicroservice(AppModule, {
  strategy: new ServerRedisStreams({ connection: REDIS_URL, group: 'billing' }),
  logger: ['warn', 'error'],
});
await app.listen();
