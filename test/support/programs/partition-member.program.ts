import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { RedisStreamsContext, ServerRedisStreams, subscription } from 'nestjs-redis-streams';

// A member that shares the partitions of a stream, and whose handler prints what it runs. It never ends if
// the message asks for that.
const { REDIS_URL = '', STREAM = '', PARTITIONS = '' } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

@Controller()
class Orders {
  @EventPattern<string>(STREAM, subscription({ startFrom: 'beginning', concurrency: 4 }))
  on(
    @Payload() { key, n, hangs }: { key: string; n: number; hangs?: boolean },
    @Ctx() context: RedisStreamsContext,
  ): Promise<void> | void {
    say(`running ${key}:${n}`);
    if (hangs !== true) return undefined;
    context.getSignal().addEventListener('abort', () => say(`asked to end ${key}:${n}`));
    return new Promise(() => undefined);
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const server = new ServerRedisStreams({
  connection: REDIS_URL,
  group: 'billing',
  streams: { [STREAM]: { partitions: Number(PARTITIONS) } },
});
const app = await NestFactory.createMicroservice(AppModule, {
  strategy: server,
  logger: ['warn', 'error'],
});
await app.listen();
say('listening');
