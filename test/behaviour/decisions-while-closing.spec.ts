import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, type ExceptionFilter, type Type } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { firstValueFrom, throwError } from 'rxjs';

import {
  DeadLetterException,
  DeadLetters,
  type RedisStreamsContext,
  type RedisStreamsModuleOptions,
  RetryException,
} from '../../lib/index.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { answeringController } from '../support/answering-controller.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, pendingEntries } from '../support/group-state.js';
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
const HOUR_MS = 3_600_000;

type Options = Partial<RedisStreamsModuleOptions>;
type Handle = (data: unknown, context: RedisStreamsContext) => unknown;

const MODES: readonly Options[] = [
  { delivery: 'at-least-once' },
  { delivery: 'at-least-once', dedup: false },
  { delivery: 'at-least-once', retry: { blocking: true } },
  { delivery: 'at-most-once' },
  { delivery: 'at-most-once', dedup: false },
];

/** What a handler may finally do, and whether that counts as another attempt. */
const WAYS: readonly (readonly [string, Handle, 'dead letter' | 'retry'])[] = [
  [
    'throws a DeadLetterException',
    () => {
      throw new DeadLetterException('negative total');
    },
    'dead letter',
  ],
  ['settles by hand', (_, context) => context.deadLetter('negative total'), 'dead letter'],
  [
    'throws a RetryException',
    () => {
      throw new RetryException({ delayMs: HOUR_MS });
    },
    'retry',
  ],
  ['asks for another attempt', (_, context) => context.retry({ delayMs: HOUR_MS }), 'retry'],
];

/** Runs one message while its app closes; its handler ends once nothing more starts. */
async function handledWhileClosing(
  stream: string,
  options: Options,
  controllers: (handle: Handle) => Type[],
  end: Handle,
  begin: (app: StreamsApp) => unknown,
): Promise<void> {
  let closing: { readonly closed: Promise<void> } | undefined;
  const handle: Handle = async (data, context) => {
    const { close, server } = await app;
    closing = { closed: close() };
    await waitFor(() => server.consumer?.isDraining !== false);
    return end(data, context);
  };
  const app = streamsApp(
    { connection: redis.url, group: GROUP, startFrom: 'beginning', ...options },
    { controllers: controllers(handle) },
  );
  await begin(await app);
  const { closed } = await waitFor(() => closing, { description: `${stream} closes` });
  await closed;
}

const keysOf = (stream: string) => streamKeys('', stream, GROUP);

async function deadLettersOf(stream: string) {
  const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
  try {
    return await deadLetters.list({ stream });
  } finally {
    deadLetters.close();
  }
}

/** How much longer the waiting message has to wait, in ms. */
async function dueIn(stream: string): Promise<number[]> {
  const scored = await redis.client.zrange(keysOf(stream).retries, 0, '-1', 'WITHSCORES');
  return scored.filter((_, at) => at % 2 === 1).map((score) => Number(score) - Date.now());
}

/**
 * Redis has what the handler decided, at the price of one attempt.
 *
 * @param meanwhile the reasons of the dead letters while the message waits for another attempt
 */
async function expectDecided(
  stream: string,
  options: Options,
  decision: 'dead letter' | 'retry',
  meanwhile: readonly string[] = [],
): Promise<void> {
  const dead = await deadLettersOf(stream);
  const reasons = dead.map(({ reason }) => reason);
  const due = (await dueIn(stream)).map((ms) => ms > HOUR_MS / 2 && ms <= HOUR_MS);
  const attempts = await redis.client.hvals(keysOf(stream).attempts);
  const waits = decision === 'retry' && options.delivery !== 'at-most-once';
  const reason = decision === 'retry' ? 'failed, and at-most-once tries once' : 'negative total';
  expect({ reasons, due, attempts }).toEqual(
    waits
      ? { reasons: meanwhile, due: [true], attempts: ['1'] }
      : { reasons: [reason], due: [], attempts: [] },
  );
  expect(waits || dead[0]?.attempts === 1).toBe(true);
}

describe.each(MODES)('a handler whose app closes (%j)', (options) => {
  it.each(WAYS)('and that %s gets its decision applied', async (_, end, decision) => {
    const stream = freshName('orders');
    await handledWhileClosing(
      stream,
      options,
      (handle) => [handlerOf(stream, handle)],
      end,
      () => addEntries(redis.client, stream, [{ n: 1 }]),
    );
    await expectDecided(stream, options, decision);
  });

  it.each(WAYS)(
    'and that %s gets its decision applied to a redriven dead letter',
    async (_, end, decision) => {
      const stream = freshName('orders');
      const fails = handlerOf(stream, () => {
        throw new DeadLetterException('at first');
      });
      const first = await streamsApp(
        { connection: redis.url, group: GROUP, startFrom: 'beginning', ...options },
        { controllers: [fails] },
      );
      await addEntries(redis.client, stream, [{ n: 1 }]);
      await waitFor(() => redis.client.xlen(keysOf(stream).deadLetters));
      await first.close();
      await handledWhileClosing(
        stream,
        options,
        (handle) => [handlerOf(stream, handle)],
        end,
        ({ app }) => app.get(DeadLetters).redrive({ stream }),
      );
      await expectDecided(stream, options, decision, ['at first']);
    },
  );

  it('and that fails without a decision is not charged an attempt', async () => {
    const stream = freshName('orders');
    await handledWhileClosing(
      stream,
      options,
      (handle) => [handlerOf(stream, handle)],
      () => {
        throw new Error('the database is closed');
      },
      () => addEntries(redis.client, stream, [{ n: 1 }]),
    );
    const isOnce = options.delivery === 'at-most-once';
    expect(await redis.client.exists(keysOf(stream).attempts)).toBe(0);
    expect(await deadLettersOf(stream)).toHaveLength(isOnce ? 1 : 0);
    expect(await pendingEntries(redis.client, stream, GROUP)).toHaveLength(isOnce ? 0 : 1);
  });
});

@Catch(DeadLetterException, RetryException)
class Translating implements ExceptionFilter {
  catch(error: Error, _host: ArgumentsHost): unknown {
    return throwError(() => new RpcException(`translated: ${error.message}`));
  }
}

describe('a handler whose app closes, and whose exceptions a filter translates', () => {
  it.each(WAYS)('%s: the original counts', async (_, end, decision) => {
    const stream = freshName('orders');
    let closing: { readonly closed: Promise<void> } | undefined;
    const app = streamsApp(
      { connection: redis.url, group: GROUP, startFrom: 'beginning' },
      {
        controllers: [
          handlerOf(stream, async (data, context) => {
            const { close, server } = await app;
            closing = { closed: close() };
            await waitFor(() => server.consumer?.isDraining !== false);
            return end(data, context);
          }),
        ],
        before: (nest) => nest.useGlobalFilters(new Translating()),
      },
    );
    await app;
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const { closed } = await waitFor(() => closing);
    await closed;
    await expectDecided(stream, {}, decision);
  });
});

describe('a request whose app closes', () => {
  it.each(WAYS)('and whose handler %s gets its decision applied', async (_, end, decision) => {
    const stream = freshName('totals');
    const asking = await streamsApp({ connection: redis.url, group: freshName('asking') }, {});
    const received: unknown[] = [];
    await handledWhileClosing(
      stream,
      { retry: { maxAttempts: 5 } },
      (handle) => [answeringController(stream, handle, { retry: { maxAttempts: 5 } })],
      end,
      () => {
        firstValueFrom(asking.client.send(stream, { n: 1 })).then(
          (value) => received.push(value),
          (error: unknown) => received.push(error),
        );
      },
    );
    await expectDecided(stream, {}, decision);
    await waitFor(() => decision === 'retry' || received.length === 1);
  });
});

describe('at most once', () => {
  it.each([{}, { dedup: false }] as const)(
    'a dead letter has the reason that its handler gave (%j)',
    async (options) => {
      const stream = freshName('orders');
      const app = await streamsApp(
        { connection: redis.url, group: GROUP, delivery: 'at-most-once', ...options },
        {
          controllers: [
            handlerOf<number>(stream, (n, context) => {
              if (n === 1) throw new DeadLetterException('thrown');
              if (n === 2) return context.deadLetter('by hand');
              throw new Error('any other');
            }),
          ],
        },
      );
      for (const n of [1, 2, 3]) await app.emit(stream, n);
      await waitFor(async () => (await deadLettersOf(stream)).length === 3);
      expect((await deadLettersOf(stream)).map(({ reason }) => reason).sort()).toEqual([
        'by hand',
        'failed, and at-most-once tries once',
        'thrown',
      ]);
    },
  );
});
