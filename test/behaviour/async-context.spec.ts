import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type NestInterceptor, UseGuards, UseInterceptors } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, map, type Observable } from 'rxjs';

import {
  type ClientRedisStreams,
  DeadLetterException,
  onStreamsEvent,
  type RedisStreamsChannels,
  RedisStreamsRecordBuilder,
  subscription,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
  type StreamsAppParts,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const als = new AsyncLocalStorage<string>();
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const start = (
  controllers: StreamsAppParts['controllers'] & object,
  options: SubscriptionOptions = {},
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, ...options }, { controllers });

/** What was entered before some code ran. */
const leaked: string[] = [];
afterEach(() => void leaked.splice(0));
const enter = (what: string): void => {
  const before = als.getStore();
  if (before !== undefined) leaked.push(`${what} sees ${before}`);
  als.enterWith(what);
};

/** Publishes some messages at once, and waits until all are handled. */
async function handled(app: StreamsApp, ...streams: string[]): Promise<void> {
  const before = app.monitor.getStats().counts.handled;
  const bodies = Array.from({ length: 20 }, (_, n) => n);
  await Promise.all(streams.map((stream) => firstValueFrom(app.client.emitBatch(stream, bodies))));
  const expected = before + streams.length * bodies.length;
  await waitFor(() => app.monitor.getStats().counts.handled === expected);
}

describe('what one message enters in its async context', () => {
  it.each([1, 8])(
    'in a guard, is not seen by other messages: concurrency %p',
    async (concurrency) => {
      const [stream, other] = [freshName('orders'), freshName('payments')];
      const seen: boolean[] = [];
      @Controller()
      @UseGuards({
        canActivate: (context) => {
          enter(`message ${String(context.switchToRpc().getData())}`);
          return true;
        },
      })
      class Orders {
        @EventPattern<string>(stream, subscription({ concurrency }))
        async on(@Payload() order: number): Promise<void> {
          await delay(1);
          seen.push(als.getStore() === `message ${order}`);
        }
      }
      const payments = handlerOf(other, () => enter('a payment'));
      const app = await start([Orders, payments]);
      await handled(app, stream, other);
      await handled(app, other, stream);
      expect(leaked).toEqual([]);
      expect(seen).toEqual(Array(40).fill(true));
    },
  );

  it('in an interceptor or a handler, is not seen by other messages', async () => {
    const stream = freshName('orders');
    const interceptor: NestInterceptor = {
      intercept: (_, next): Observable<unknown> => {
        enter('interceptor');
        return next.handle().pipe(
          map(() => {
            als.enterWith('after the handler');
          }),
        );
      },
    };
    @Controller()
    @UseInterceptors(interceptor)
    class Orders {
      @EventPattern<string>(stream)
      on(): void {
        als.enterWith('handler');
      }
    }
    const app = await start([Orders]);
    await handled(app, stream);
    await handled(app, stream);
    expect(leaked).toEqual([]);
  });

  it.each<[string, SubscriptionOptions]>([
    ['a scheduled attempt', {}],
    ['a blocking attempt', { retry: { blocking: true } }],
  ])(
    'is not seen by %s of it, nor by the backoff function and its dead letter',
    async (_, more) => {
      const stream = freshName('orders');
      const events = (['received', 'failed', 'retried', 'dead-lettered'] as const).map(
        (event) =>
          `nestjs-redis-streams:message:${event}` as const satisfies keyof RedisStreamsChannels,
      );
      for (const name of events) {
        ends.push(onStreamsEvent(name, () => enter(name)));
      }
      const attempts: number[] = [];
      const handler = handlerOf(
        stream,
        (__, context) => {
          enter('handler');
          if (attempts.push(context.getAttempt()) === 3) throw new DeadLetterException('enough');
          throw new Error('no');
        },
        {
          retry: {
            ...more.retry,
            backoff: () => {
              enter('backoff');
              return 5;
            },
          },
        },
      );
      const app = await start([handler]);
      await app.emit(stream, 'it');
      await waitFor(() => app.monitor.getStats().counts.deadLettered === 1);
      await app.emit(stream, 'another');
      await waitFor(() => app.monitor.getStats().counts.failed >= 4);
      expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
      expect(leaked).toEqual([]);
    },
  );

  it("in Nest's hooks, is seen by the handler and not by other messages", async () => {
    const stream = freshName('orders');
    const seen: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => void seen.push(als.getStore()))] },
    );
    app.server.setOnProcessingStartHook((__, ___, done) => {
      enter('start');
      return done();
    });
    app.server.setOnProcessingEndHook(() => als.enterWith('end'));
    await handled(app, stream);
    expect(seen).toEqual(Array(20).fill('start'));
    expect(leaked).toEqual([]);
  });

  it('when its signal is aborted, is not seen by other messages', async () => {
    const stream = freshName('orders');
    const handler = handlerOf(
      stream,
      async (_, context) => {
        enter('handler');
        const signal = context.getSignal();
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            als.enterWith('aborted');
            resolve();
          }),
        );
      },
      { handlerTimeoutMs: 20, retry: { maxAttempts: 2, backoff: { delayMs: 1 } } },
    );
    const app = await start([handler]);
    await app.emit(stream, 'it');
    await app.emit(stream, 'another');
    await waitFor(() => app.monitor.getStats().counts.deadLettered === 2);
    expect(leaked).toEqual([]);
  });
});

describe('the async context of a request', () => {
  const ask = (client: ClientRedisStreams, stream: string, tenant: string): Promise<string> =>
    als.run(tenant, async () => {
      const record = new RedisStreamsRecordBuilder(tenant).build();
      const operators = client
        .send<string>(stream, record)
        .pipe(map((answer) => `${answer} for ${String(als.getStore())}`));
      return lastValueFrom(operators);
    });

  it("is its caller's in the operators of its reply, not that of the first request", async () => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, (tenant) => tenant)]);
    await expect(ask(app.client, stream, 'a')).resolves.toBe('a for a');
    const tenants = ['b', 'c', 'd', 'e'];
    const answers = await Promise.all(tenants.map((tenant) => ask(app.client, stream, tenant)));
    expect(answers).toEqual(tenants.map((tenant) => `${tenant} for ${tenant}`));
  });

  it("is its caller's if it fails too", async () => {
    const stream = freshName('quote');
    const app = await start([
      answeringController(stream, (_, context) => context.deadLetter('no')),
    ]);
    const failed = (tenant: string): Promise<unknown> =>
      als.run(
        tenant,
        () =>
          new Promise((resolve) => {
            app.client.send(stream, 'it').subscribe({ error: () => resolve(als.getStore()) });
          }),
      );
    await expect(failed('a')).resolves.toBe('a');
    await expect(failed('b')).resolves.toBe('b');
  });

  it('is not kept by the client: its connection outlives the request that opened it', async () => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, (data) => data)]);
    const reconnected: unknown[] = [];
    app.client.on('ready', () => void reconnected.push(als.getStore()));
    await expect(ask(app.client, stream, 'a')).resolves.toBe('a for a');
    app.client.unwrap().disconnect(true);
    await waitFor(() => reconnected.length === 2);
    expect(reconnected).toEqual([undefined, undefined]);
  });
});
