import { describe, expect, it } from '@jest/globals';
import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';

import {
  DeadLetterException,
  DeadLetters,
  type HandlersMode,
  InvalidOptionsError,
  RedisStreamsContext,
  type RedisStreamsModuleOptions,
  RetryException,
  subscription,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
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
const MODES: readonly HandlersMode[] = ['in-order', 'all-at-once'];

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

/** A handler that the test releases. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}

describe('several handlers of one message', () => {
  it('run one after the other by default: the second waits for the first', async () => {
    const stream = freshName('orders');
    const ran: string[] = [];
    const first = gate();
    const app = await start([
      handlerOf(stream, async () => {
        ran.push('first begins');
        await first.passed;
        ran.push('first ends');
      }),
      handlerOf(stream, () => ran.push('second')),
    ]);
    await app.emit(stream, {});
    await waitFor(() => ran.length === 1);
    // Later in the same process: by then a second handler would have started.
    await app.emit(freshName('other'), {});
    expect(ran).toEqual(['first begins']);
    first.open();
    await waitFor(() => caughtUp(stream));
    expect(ran).toEqual(['first begins', 'first ends', 'second']);
  });

  it('run all at once if the option says so: none waits for another', async () => {
    const stream = freshName('orders');
    const ran: string[] = [];
    const second = gate();
    const app = await start(
      [
        handlerOf(stream, async () => {
          ran.push('first begins');
          await second.passed;
          ran.push('first ends');
        }),
        handlerOf(stream, () => {
          ran.push('second');
          second.open();
        }),
      ],
      { handlers: 'all-at-once' },
    );
    await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    expect(ran).toEqual(['first begins', 'second', 'first ends']);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 0 });
  });

  it('run all at once for one message, and the next message waits for all of them', async () => {
    const stream = freshName('orders');
    const ran: string[] = [];
    const slow = gate();
    const app = await start([
      handlerOf<string>(
        stream,
        async (order) => {
          await slow.passed;
          ran.push(`slow ${order}`);
        },
        { handlers: 'all-at-once' },
      ),
      handlerOf<string>(stream, (order) => ran.push(`fast ${order}`)),
    ]);
    await app.emit(stream, 'a');
    await app.emit(stream, 'b');
    await waitFor(() => ran.length === 1);
    expect(app.monitor.getStats()).toMatchObject({ inFlight: 1, counts: { handled: 0 } });
    slow.open();
    await waitFor(() => caughtUp(stream));
    expect(ran).toEqual(['fast a', 'slow a', 'fast b', 'slow b']);
  });
});

describe.each(MODES)('several handlers of one message, %s', (handlers) => {
  it.each(['first', 'second'])(
    'of which the %s fails once: its retry runs them all again',
    async (failing) => {
      const stream = freshName('orders');
      const ran: string[] = [];
      const handler = (name: string): Type =>
        handlerOf(stream, (_, context) => {
          ran.push(`${name} ${context.getAttempt()}`);
          if (name === failing && context.getAttempt() === 1) throw new Error('refused');
        });
      const app = await start([handler('first'), handler('second')], { handlers });
      await app.emit(stream, {});
      await waitFor(() => caughtUp(stream));
      expect(ran).toEqual(['first 1', 'second 1', 'first 2', 'second 2']);
      expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 1, retried: 1 });
    },
  );

  it.each(['first', 'second'])(
    'of which the %s dead-letters it: it is a dead letter, though the other wants a retry',
    async (givesUp) => {
      const stream = freshName('orders');
      const ran: string[] = [];
      const handler = (name: string): Type =>
        handlerOf(stream, () => {
          ran.push(name);
          if (name === givesUp) throw new DeadLetterException('negative total');
          throw new RetryException({ delayMs: 0 });
        });
      const app = await start([handler('first'), handler('second')], {
        handlers,
        retry: { maxAttempts: 1 },
      });
      await app.emit(stream, {});
      await waitFor(() => caughtUp(stream));
      expect(ran).toEqual(['first', 'second']);
      const [letter] = await app.app.get(DeadLetters).list({ stream });
      expect(letter).toMatchObject({ attempts: 1 });
    },
  );

  it('that settle by hand each decide, and the worst decision wins', async () => {
    const stream = freshName('orders');
    const app = await start(
      [
        handlerOf(stream, (_, context) => context.ack()),
        handlerOf(stream, (_, context) => context.deadLetter('negative total')),
        handlerOf(stream, (_, context) => context.retry({ delayMs: 0 })),
      ],
      { handlers },
    );
    await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    const [letter] = await app.app.get(DeadLetters).list({ stream });
    expect(letter).toMatchObject({ reason: 'negative total', attempts: 1 });
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 0, failed: 1, deadLettered: 1 });
  });

  it('that all fail: the error that is kept is that of the first one', async () => {
    const stream = freshName('orders');
    const second = gate();
    const app = await start(
      [
        handlerOf(stream, async () => {
          // All at once, the second one has failed by now.
          if (handlers === 'all-at-once') await second.passed;
          throw new Error('of the first');
        }),
        handlerOf(stream, () => {
          second.open();
          throw new Error('of the second');
        }),
      ],
      { handlers, retry: { maxAttempts: 1 } },
    );
    await app.emit(stream, {});
    await waitFor(() => caughtUp(stream));
    const [letter] = await app.app.get(DeadLetters).list({ stream });
    expect(letter?.error).toMatchObject({ name: 'Error', message: 'of the first' });
  });

  it('that want it by name and by stream have one outcome too', async () => {
    const stream = freshName('orders');
    const ran: string[] = [];
    @Controller()
    class Orders {
      @EventPattern({ stream, name: 'order.created' }, subscription({ handlers }))
      created(@Payload() order: string): void {
        ran.push(`created ${order}`);
      }
      @EventPattern<string>(stream)
      any(@Payload() order: string, @Ctx() context: RedisStreamsContext): void {
        ran.push(`any ${order}`);
        if (context.getAttempt() === 1) throw new Error('refused');
      }
    }
    await start([Orders]);
    await redis.client.xadd(stream, '*', 'name', 'order.created', 'body', '"a"');
    await waitFor(() => ran.length === 4);
    expect(ran).toEqual(['created a', 'any a', 'created a', 'any a']);
    await waitFor(() => caughtUp(stream));
  });
});

describe('the option for how handlers run', () => {
  it.each([
    { handlers: 'parallel' as HandlersMode, path: 'handlers' },
    { unhandled: 'drop' as 'ack', path: 'unhandled' },
  ])('is checked: $path', async ({ path, ...option }) => {
    const app = start([], option);
    await expect(app).rejects.toThrow(InvalidOptionsError);
    await expect(app).rejects.toMatchObject({ path });
    expect(() => subscription(option)).toThrow(
      expect.objectContaining({ path: `subscription.${path}` }),
    );
  });
});
