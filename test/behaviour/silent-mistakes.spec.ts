import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, Logger, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { TerminusModule } from '@nestjs/terminus';
import { firstValueFrom } from 'rxjs';

import { REDIS_STREAMS, RedisStreamsModule, ServerRedisStreams } from '../../lib/index.js';
import { RedisStreamsHealthIndicator } from '../../lib/telemetry/terminus/index.js';
import { freshName } from '../support/fresh-name.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, moduleOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const opened: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('handlers that get nothing', () => {
  /** An app that serves HTTP, and whose server is not started. */
  async function served(
    controller: Type,
    connect: boolean,
  ): Promise<{ app: INestApplication; problems: () => Promise<unknown> }> {
    const app = await NestFactory.create(
      moduleOf([RedisStreamsModule.forRoot({ connection: redis.url, group: GROUP })], {
        imports: [TerminusModule],
        controllers: [controller],
        providers: [RedisStreamsHealthIndicator],
      }),
      { logger: recordedLog, abortOnError: false },
    );
    opened.push(app);
    Logger.overrideLogger(recordedLog);
    if (connect) app.connectMicroservice({ strategy: app.get(ServerRedisStreams) });
    await app.listen(0, '127.0.0.1');
    return {
      app,
      problems: async () => {
        const result = await app.get(RedisStreamsHealthIndicator).isHealthy('streams');
        return result.streams;
      },
    };
  }
  const NOT_STARTED =
    'The handlers of this app get no messages: their server is connected, and was not started. Call await app.startAllMicroservices()';
  const notConnected = (first: string): string =>
    `${first} no messages: no server of RedisStreamsModule is connected to this app. Call app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }) and await app.startAllMicroservices()`;

  it('are named in the log and in the health check, some time after the app listens', async () => {
    const [stream, other] = [freshName('orders'), freshName('plain')];
    @Controller()
    class Orders {
      @EventPattern<string>(stream, REDIS_STREAMS)
      on(): void {}
      @EventPattern({ cmd: 'sum' })
      sum(): void {}
    }
    @Controller()
    class Plain {
      @MessagePattern<string>(other)
      answer(): void {}
    }
    const [certain, plain, connected, started] = await Promise.all([
      served(Orders, false),
      served(Plain, false),
      served(Orders, true),
      served(Plain, true),
    ]);
    await started.app.startAllMicroservices();
    const lines = [
      notConnected(`@EventPattern('${stream}') of Orders.on and 1 more handler get`),
      `${notConnected(`@MessagePattern('${other}') of Plain.answer gets`)}. If another transport serves it, give it that transport's ID`,
      NOT_STARTED,
    ];
    for (const [index, { problems }] of [certain, plain, connected].entries()) {
      expect(await problems()).toEqual({
        status: 'down',
        problems: expect.arrayContaining([lines[index]]),
      });
    }
    expect(await started.problems()).toEqual({ status: 'up' });
    await waitFor(() => lines.every((line) => logged('warn', line).length === 1));
    expect(logged('warn', 'no messages')).toHaveLength(3);
  }, 60_000);

  it('are said to be so only if the app does not start its server', async () => {
    const { app, problems } = await served(
      handlerOf(freshName('orders'), () => undefined),
      true,
    );
    await app.startAllMicroservices();
    expect(await problems()).toEqual({ status: 'up' });
  });
});

describe('a pattern with options', () => {
  it.each(['concurrency', 'retry', 'startFrom'])(
    'beside subscription() stops the app from starting: %s',
    async (option) => {
      @Controller()
      class Orders {
        @EventPattern<string>(freshName('orders'), { [option]: 5 })
        on(): void {}
      }
      const app = streamsApp({ connection: redis.url, group: GROUP }, { controllers: [Orders] });
      expect(await errorOf(app)).toMatchObject({
        code: 'INVALID_OPTIONS',
        message: `Option "${option}": given an option beside subscription(), in the extras of a handler's pattern, allowed: inside: @EventPattern('orders', subscription({ ${option}: … }))`,
      });
    },
  );

  it('may have extras of its own', async () => {
    const stream = freshName('orders');
    @Controller()
    class Orders {
      @EventPattern<string>(stream, { mine: 5 })
      on(): void {}
    }
    const { server } = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [Orders] },
    );
    expect(server.getHandlers().get(stream)?.extras).toEqual({ mine: 5 });
  });
});

describe('a message of the kind that no handler of its stream takes', () => {
  it('is said once for its stream: events for @MessagePattern, requests for @EventPattern', async () => {
    const [asked, told, both] = [freshName('asked'), freshName('told'), freshName('both')];
    @Controller()
    class Handlers {
      @MessagePattern<string>(asked)
      answer(): number {
        return 1;
      }
      @EventPattern<string>(told)
      on(): void {}
      @MessagePattern<string>(both)
      answerBoth(): number {
        return 2;
      }
      @EventPattern<string>(both)
      onBoth(): void {}
    }
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [Handlers] },
    );
    for (let n = 0; n < 2; n++) {
      await app.emit(asked, n);
      await app.emit(both, n);
      await errorOf(firstValueFrom(app.client.send(told, n)));
      expect(await firstValueFrom(app.client.send(asked, n))).toBe(1);
      expect(await firstValueFrom(app.client.send(both, n))).toBe(2);
    }
    await waitFor(() => app.monitor.getStats().counts.handled === 6);
    expect(logged('warn', asked)).toEqual([
      `Stream "${asked}", group "${GROUP}": an event arrived, and all handlers of the stream are @MessagePattern, which only answer send(). Write @EventPattern for what emit() publishes, or publish it with send(). This is said once for each stream`,
    ]);
    expect(logged('warn', told)).toEqual([
      `Stream "${told}", group "${GROUP}": a request arrived, and all handlers of the stream are @EventPattern, which answer nothing. Write @MessagePattern for what send() asks, or publish it with emit(), unless another group answers it. This is said once for each stream`,
    ]);
    expect(logged('warn', both)).toEqual([]);
  });
});
