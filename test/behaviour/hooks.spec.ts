import { AsyncLocalStorage } from 'node:async_hooks';

import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { concat, of, throwError } from 'rxjs';

import {
  DeadLetters,
  REDIS_STREAMS,
  RedisStreamsContext,
  type RedisStreamsModuleOptions,
  type ServerRedisStreams,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp, pendingEntries } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';

type StartHook = Parameters<ServerRedisStreams['setOnProcessingStartHook']>[0];
type Called = readonly ['start' | 'end', unknown, unknown];

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      retry: { maxAttempts: 3, backoff: { type: 'fixed', delayMs: 0 } },
      ...options,
    },
    { controllers },
  );
const caughtUp = (stream: string) => isCaughtUp(redis.client, stream, GROUP);

/** Sets both hooks, and records their calls. */
function hooked({ server }: StreamsApp, onStart?: StartHook): Called[] {
  const called: Called[] = [];
  server.setOnProcessingStartHook((transport, context, done) => {
    called.push(['start', transport, context]);
    return (onStart ?? (() => done()))(transport, context, done);
  });
  server.setOnProcessingEndHook((transport, context) => {
    called.push(['end', transport, context]);
  });
  return called;
}

describe('the processing hooks', () => {
  it('run once for each message, around its handlers, with the context that its handler gets', async () => {
    const stream = freshName('orders');
    const ran: string[] = [];
    const contexts: RedisStreamsContext[] = [];
    const app = await start([
      handlerOf<string>(stream, (order, context) => {
        ran.push(order);
        contexts.push(context);
        return of(1, 2);
      }),
    ]);
    const called = hooked(app);
    await app.emit(stream, 'a');
    await app.emit(stream, 'b');
    await waitFor(() => caughtUp(stream));
    expect(ran).toEqual(['a', 'b']);
    expect(called.map(([which, transport]) => [which, transport])).toEqual([
      ['start', REDIS_STREAMS],
      ['end', REDIS_STREAMS],
      ['start', REDIS_STREAMS],
      ['end', REDIS_STREAMS],
    ]);
    const [a, b] = contexts;
    expect(called.map(([, , context]) => context)).toEqual([a, a, b, b]);
    expect(called[0]?.[2]).toBe(a);
    expect(called[1]?.[2]).toBe(a);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('refused');
      },
    ],
    ['rejects', () => Promise.reject(new Error('refused'))],
    [
      'gives an Observable that fails',
      () =>
        concat(
          of(1),
          throwError(() => new Error('refused')),
        ),
    ],
  ])('run once for each attempt if its handler %s', async (_, fail) => {
    const stream = freshName('orders');
    const app = await start([
      handlerOf(stream, (__, context) => (context.getAttempt() === 1 ? fail() : 'done')),
    ]);
    const called = hooked(app);
    await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    expect(called.map(([which]) => which)).toEqual(['start', 'end', 'start', 'end']);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 1 });
  });

  it.each(['in-order', 'all-at-once'] as const)(
    'run once around several handlers, %s, even if one fails',
    async (handlers) => {
      const stream = freshName('orders');
      const app = await start(
        [
          handlerOf(stream, () => called.push(['start', 'handler', 1])),
          handlerOf(stream, (_, context) => {
            called.push(['start', 'handler', 2]);
            if (context.getAttempt() === 1) throw new Error('refused');
          }),
        ],
        { handlers },
      );
      const called = hooked(app);
      await app.emit(stream, {});
      await waitFor(() => caughtUp(stream));
      const steps = called.map(([which, by, context]) =>
        by === 'handler' ? `handler ${String(context)}` : which,
      );
      const attempt = ['start', 'handler 1', 'handler 2', 'end'];
      expect(steps).toEqual([...attempt, ...attempt]);
    },
  );

  it('are not called for a message that no handler wants', async () => {
    const stream = freshName('orders');
    const app = await start([handlerOf({ stream, name: 'order.created' }, () => undefined)]);
    const called = hooked(app);
    await app.emit(stream, {});
    await waitFor(() => app.monitor.getStats().counts.unhandled === 1);
    expect(called).toEqual([]);
  });

  it('can carry an async context to the handlers, and start them later', async () => {
    const stream = freshName('orders');
    const store = new AsyncLocalStorage<string>();
    const got: unknown[] = [];
    const app = await start([
      handlerOf(stream, async () => {
        await Promise.resolve();
        got.push(store.getStore());
      }),
    ]);
    const called = hooked(app, (_, context, done) => {
      const span = `span of ${(context as RedisStreamsContext).getMessageId()}`;
      setImmediate(() => void store.run(span, done));
    });
    const { messageId } = await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual([`span of ${messageId}`]);
    expect(called.map(([which]) => which)).toEqual(['start', 'end']);
  });

  it('that wait for the handlers learn of their end, even if they failed, without an unhandled rejection', async () => {
    const stream = freshName('orders');
    const spans: string[] = [];
    const app = await start(
      [
        handlerOf(stream, () => {
          throw new Error('refused');
        }),
      ],
      { retry: { maxAttempts: 1 } },
    );
    hooked(app, (_, __, done) => {
      void done().finally(() => spans.push('closed'));
    });
    await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    expect(spans).toEqual(['closed']);
  });

  it('cannot run the handlers twice', async () => {
    const stream = freshName('orders');
    const ran: unknown[] = [];
    const app = await start([handlerOf(stream, (order) => ran.push(order))]);
    const called = hooked(app, async (_, __, done) => {
      await Promise.all([done(), done()]);
      await done();
    });
    await app.emit(stream, 'a');
    await waitFor(() => caughtUp(stream));
    expect(ran).toEqual(['a']);
    expect(called.map(([which]) => which)).toEqual(['start', 'end']);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no tracer');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no tracer'))],
  ])('whose start hook %s before the handlers started: the message failed', async (_, fail) => {
    const stream = freshName('orders');
    const ran: unknown[] = [];
    const app = await start([handlerOf(stream, (order) => ran.push(order))], {
      retry: { maxAttempts: 1 },
    });
    const called = hooked(app, () => fail() as void);
    await app.emit(stream, 'a');
    await waitFor(() => caughtUp(stream));
    expect(ran).toEqual([]);
    expect(called.map(([which]) => which)).toEqual(['start']);
    const [letter] = await app.app.get(DeadLetters).list({ stream });
    expect(letter?.error).toMatchObject({ message: 'no tracer' });
  });

  it('that fail outside the handlers are logged, and the message has the outcome of its handlers', async () => {
    const stream = freshName('orders');
    const [startFault, endFault] = [freshName('start'), freshName('end')];
    const app = await start([handlerOf(stream, () => undefined)]);
    app.server.setOnProcessingStartHook(async (_, __, done) => {
      await done();
      throw new Error(startFault);
    });
    app.server.setOnProcessingEndHook(() => {
      throw new Error(endFault);
    });
    await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 0 });
    for (const fault of [startFault, endFault]) expect(logged('error', fault)).toHaveLength(1);
  });

  it('do not let a message be acknowledged before its handlers have ended', async () => {
    const stream = freshName('orders');
    let begin = (): void => undefined;
    const app = await start([handlerOf(stream, () => undefined)]);
    hooked(app, (_, __, done) => {
      begin = () => void done();
    });
    const { entryId } = await app.emit(stream, {});
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    const [pending] = await pendingEntries(redis.client, stream, GROUP);
    expect(pending?.id).toBe(entryId);
    begin();
    await waitFor(() => caughtUp(stream));
  });
});

describe('the dispatch hook', () => {
  it('runs once for each message, and what it attaches arrives with the message, on each attempt', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = await start([
      handlerOf(stream, (_, context) => {
        got.push(context.getMetadata());
        if (context.getAttempt() === 1) throw new Error('refused');
      }),
    ]);
    const patterns: unknown[] = [];
    app.client.setOnDispatchHook((packet) => {
      patterns.push(packet.pattern);
      packet.metadata = { traceparent: `00-${patterns.length}` };
    });
    await app.emit({ stream, name: 'order.created' }, {});
    await waitFor(() => caughtUp(stream));
    expect(patterns).toEqual([{ stream, name: 'order.created' }]);
    expect(got).toEqual([{ traceparent: '00-1' }, { traceparent: '00-1' }]);
  });

  it('also runs if the message cannot be published', async () => {
    const app = await start([]);
    let calls = 0;
    app.client.setOnDispatchHook(() => void calls++);
    await expect(app.emit(freshName('orders'), { id: 7n })).rejects.toThrow('BigInt');
    expect(calls).toBe(1);
  });
});
