import { Controller, type LoggerService, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import {
  onStreamsEvent,
  onStreamsOperation,
  ServerRedisStreams,
  subscription,
} from 'nestjs-redis-streams';

// A service with listeners, or a logger, that fail. What nobody catches ends it, as any Node program. Jest replaces `process`,
// so this needs a separate one.
const { REDIS_URL = '', STREAM = '', LOGGER = '' } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const fail = (where: string): never => {
  throw new Error(`in the ${where}`);
};
onStreamsEvent('nestjs-redis-streams:message:received', () => fail('listener of received'));
onStreamsEvent('nestjs-redis-streams:message:handled', async () => fail('listener of handled'));
onStreamsOperation('nestjs-redis-streams:handle', {
  start: () => fail('start of handle'),
  asyncEnd: () => fail('end of handle'),
});

const failingLogger: LoggerService = {
  log: () => fail('logger'),
  warn: () => fail('logger'),
  error: () => fail('logger'),
};

@Controller()
class Orders {
  @EventPattern<string>(STREAM, subscription({ startFrom: 'beginning', retry: { maxAttempts: 1 } }))
  on(@Payload() n: number): void {
    if (n === 1) fail('handler');
    say(`handled ${n}`);
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const app = await NestFactory.createMicroservice(AppModule, {
  strategy: new ServerRedisStreams({ connection: REDIS_URL, group: 'billing' }),
  logger: ['warn', 'error'],
});
await app.listen();
// Nest itself writes a line before that.
if (LOGGER === 'fails') app.useLogger(failingLogger);
