import { createRequire } from 'node:module';

import { Controller, type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import * as esm from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

// An app with two copies of this package: the ESM build and the CommonJS build. One provides the module, and the
// app's own code takes everything else from the other one.
type Package = typeof esm;
const cjs: Package = createRequire(import.meta.url)('nestjs-redis-streams');
const { REDIS_URL: connection = '', STREAM = '', MODULE_FROM, TWICE } = process.env;
const [ours, theirs] = MODULE_FROM === 'esm' ? [esm, cjs] : [cjs, esm];
const facts: Record<string, unknown> = {
  areTwo: esm.RedisStreamsModule !== cjs.RedisStreamsModule,
};
const streamOf = (what: string): string => `${STREAM}:${what}`;

@Controller()
class Orders {
  @EventPattern<string>(
    streamOf('orders'),
    theirs.REDIS_STREAMS,
    theirs.subscription({ concurrency: 7 }),
  )
  on(@Payload() order: unknown, @Ctx() context: unknown): void {
    facts['order'] = order;
    facts['isContext'] = context instanceof theirs.RedisStreamsContext;
    if (context instanceof ours.RedisStreamsContext) facts['messageId'] = context.getMessageId();
  }

  @EventPattern<string>(streamOf('dead'), theirs.REDIS_STREAMS)
  onDead(): void {
    throw new theirs.DeadLetterException('it is of no use');
  }

  @EventPattern<string>(streamOf('retried'), theirs.REDIS_STREAMS)
  onRetried(@Ctx() context: esm.RedisStreamsContext): void {
    if (context.getAttempt() === 1) throw new theirs.RetryException({ delayMs: 10 });
    facts['attempts'] = context.getAttempt();
  }

  @MessagePattern(streamOf('asked'), theirs.REDIS_STREAMS)
  onAsked(): string {
    return 'answered';
  }
}

const moduleOf = ({ RedisStreamsModule }: Package): DynamicModule =>
  RedisStreamsModule.forRoot({
    connection,
    group: 'billing',
    // So late that the test would see it: a retry waits so long only if its exception is not recognized.
    retry: { backoff: { type: 'fixed', delayMs: 600_000, maxDelayMs: 600_000 } },
    streams: { [streamOf('field')]: { codec: new theirs.FieldCodec({ field: 'data' }) } },
  });

@Module({
  imports: TWICE === undefined ? [moduleOf(ours)] : [moduleOf(ours), moduleOf(theirs)],
  controllers: [Orders],
})
class AppModule {}

/** The error that a promise rejects with. */
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const kinds = (error: unknown): Record<string, boolean> => ({
  isBase: error instanceof theirs.RedisStreamsError,
  isEncoding: error instanceof theirs.MessageEncodingError,
  isOptions: error instanceof theirs.InvalidOptionsError,
});

try {
  const app = await NestFactory.create(AppModule, {
    logger: ['warn', 'error'],
    abortOnError: false,
  });
  app.connectMicroservice({ strategy: app.get(ours.ServerRedisStreams) });
  await app.startAllMicroservices();
  const client = app.get(ours.ClientRedisStreams);
  const emit = (what: string, data: unknown): Promise<unknown> =>
    firstValueFrom(client.emit(streamOf(what), data));
  facts['streams'] = app
    .get(ours.ServerRedisStreams)
    .subscriptions()
    .map(({ stream, options }) => [stream.slice(STREAM.length + 1), options.concurrency]);
  await emit(
    'orders',
    new theirs.RedisStreamsRecordBuilder({ n: 1 }).setMessageId('first').build(),
  );
  await emit('dead', {});
  await emit('retried', {});
  facts['answer'] = await firstValueFrom(client.send(streamOf('asked'), {}));
  facts['unknownOption'] = String(
    await errorOf(emit('orders', new theirs.RedisStreamsRecord({}, Object({ ttlMs: 5 })))),
  );
  const encoding = await errorOf(emit('orders', new theirs.RedisStreamsRecord({}, { name: '' })));
  facts['encoding'] = kinds(encoding);
  facts['request'] = String(await errorOf(firstValueFrom(client.send(streamOf('field'), {}))));
  facts['options'] = kinds(
    await errorOf(Promise.resolve().then(() => new ours.ServerRedisStreams({ group: '' }))),
  );
  const letters = app.get(ours.DeadLetters);
  while (facts['attempts'] === undefined || facts['order'] === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  while ((await letters.count({ stream: streamOf('dead') })) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const [letter] = await letters.list({ stream: streamOf('dead') });
  facts['reason'] = letter?.reason;
  await app.close();
} catch (error) {
  facts['error'] = String(error);
}
process.stdout.write(`${JSON.stringify(facts)}\n`);
