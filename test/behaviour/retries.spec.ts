import { describe, expect, it } from '@jest/globals';

import {
  DeadLetterException,
  RetryException,
  type RedisStreamsContext,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  streamsApp,
  type StreamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const QUICK = { type: 'fixed', delayMs: 20, jitter: 0 } as const;
const keyOf = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;
const caughtUp = (stream: string): Promise<boolean> => isCaughtUp(redis.client, stream, GROUP);

/** An app whose handler gets the attempt, and fails as the test decides. */
function failing(
  stream: string,
  handle: (attempt: number, context: RedisStreamsContext, data: unknown) => unknown,
  options: SubscriptionOptions = {},
  consumer = freshName('member'),
): Promise<StreamsApp> {
  return streamsApp(
    { connection: redis.url, group: GROUP, consumer },
    {
      controllers: [
        handlerOf(stream, (data, context) => handle(context.getAttempt(), context, data), options),
      ],
    },
  );
}

/** The dead letters of a stream, as objects of strings. */
async function deadLetters(stream: string): Promise<Record<string, string>[]> {
  const entries = await redis.client.xrange(keyOf(stream, 'dead-letters'), '-', '+');
  return entries.map(([, fields]) =>
    Object.fromEntries(
      fields.map((name, at) => [name, fields[at + 1] ?? '']).filter((_, at) => at % 2 === 0),
    ),
  );
}

describe.each([{ dedup: undefined }, { dedup: false as const }])('retries (%j)', ({ dedup }) => {
  const dedupOption = dedup === undefined ? {} : { dedup };

  it('a failed message is retried until it succeeds; meanwhile it stays pending, and its slot is free', async () => {
    const stream = freshName('orders');
    const attempts: number[] = [];
    const others: unknown[] = [];
    const app = await failing(
      stream,
      (attempt, _, data) => {
        if (JSON.stringify(data) !== '{"n":1}') return others.push(data);
        attempts.push(attempt);
        if (attempt < 3) throw new Error('not yet');
        return undefined;
      },
      { ...dedupOption, retry: { backoff: { type: 'fixed', delayMs: 300, jitter: 0 } } },
    );
    const [id] = await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await waitFor(() => others.length === 2);
    await waitFor(
      async () => (await redis.client.zscore(keyOf(stream, 'retries'), id ?? '')) !== null,
    );
    expect(attempts).toEqual([1]);
    expect((await pendingEntries(redis.client, stream, GROUP)).map((entry) => entry.id)).toContain(
      id,
    );
    expect(await redis.client.hget(keyOf(stream, 'attempts'), id ?? '')).toBe('1');
    await waitFor(() => caughtUp(stream));
    expect(attempts).toEqual([1, 2, 3]);
    expect(await redis.client.exists(keyOf(stream, 'retries'), keyOf(stream, 'attempts'))).toBe(0);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 3, failed: 2, retried: 2 });
  });

  it('a message that fails its last attempt becomes a dead letter, with its fields and the original error', async () => {
    const stream = freshName('orders');
    let runs = 0;
    const app = await failing(
      stream,
      () => {
        runs++;
        throw new TypeError('out of stock');
      },
      { ...dedupOption, retry: { maxAttempts: 3, backoff: QUICK } },
    );
    const id = String(
      await redis.client.xadd(
        stream,
        '*',
        'name',
        'order.created',
        'body',
        '{"n":1}',
        'id',
        'order-1',
        'extra',
        'kept',
      ),
    );
    await waitFor(async () => (await deadLetters(stream)).length === 1);
    await waitFor(() => caughtUp(stream));
    expect(runs).toBe(3);
    const [letter] = await deadLetters(stream);
    expect(letter).toMatchObject({
      name: 'order.created',
      body: '{"n":1}',
      id: 'order-1',
      extra: 'kept',
      'dead-letter-reason': 'failed 3 time(s)',
      'dead-letter-error-name': 'TypeError',
      'dead-letter-error-message': 'out of stock',
      'dead-letter-attempts': '3',
      'dead-letter-entry-id': id,
      'dead-letter-stream': stream,
      'dead-letter-group': GROUP,
    });
    expect(letter?.['dead-letter-error-stack']).toContain('retries.spec');
    expect(Number(letter?.['dead-letter-failed-at'])).toBeGreaterThan(1_700_000_000_000);
    expect(logged('error', id)).toHaveLength(1);
    expect(app.monitor.getStats().counts).toMatchObject({ failed: 3, retried: 2, deadLettered: 1 });
    const left = ['leases', 'retries', 'attempts'].map((what) => keyOf(stream, what));
    expect(await redis.client.exists(...left)).toBe(0);
  });
});

describe('the next attempt', () => {
  it('is set by RetryException and context.retry(), and prevented by DeadLetterException and context.deadLetter()', async () => {
    const stream = freshName('orders');
    const seen: string[] = [];
    await failing(
      stream,
      (attempt, context, data) => {
        const { how } = data as { how: string };
        seen.push(`${how} ${attempt}`);
        if (attempt > 1) return;
        if (how === 'retry exception') throw new RetryException({ delayMs: 10 });
        if (how === 'retry') context.retry({ delayMs: 10 });
        if (how === 'dead exception') throw new DeadLetterException('never');
        if (how === 'dead') context.deadLetter('by hand');
        if (how === 'ack') {
          context.ack();
          throw new Error('after it was done');
        }
      },
      { retry: { backoff: { type: 'fixed', delayMs: 60_000 } } },
    );
    const ways = ['retry exception', 'retry', 'dead exception', 'dead', 'ack'];
    await addEntries(
      redis.client,
      stream,
      ways.map((how) => ({ how })),
    );
    await waitFor(() => caughtUp(stream));
    expect([...seen].sort()).toEqual(
      [...ways.map((how) => `${how} 1`), 'retry exception 2', 'retry 2'].sort(),
    );
    expect((await deadLetters(stream)).map((letter) => letter['dead-letter-reason'])).toEqual([
      'never',
      'by hand',
    ]);
  });

  it('is made at once if it was requested at once, however many there are', async () => {
    const stream = freshName('orders');
    let runs = 0;
    await failing(
      stream,
      (attempt) => {
        runs++;
        if (attempt < 4) throw new RetryException({ delayMs: 0 });
      },
      { concurrency: 20 },
    );
    await addEntries(
      redis.client,
      stream,
      Array.from({ length: 200 }, (_, n) => ({ n })),
    );
    await waitFor(() => caughtUp(stream));
    expect(runs).toBe(800);
  });

  it('settling by hand a second time is an error of the handler', async () => {
    const stream = freshName('orders');
    let error: unknown;
    await failing(stream, (_, context) => {
      context.ack();
      try {
        context.deadLetter('too late');
      } catch (thrown) {
        error = thrown;
      }
    });
    await addEntries(redis.client, stream, [{}]);
    await waitFor(() => caughtUp(stream));
    expect(error).toMatchObject({ code: 'SETTLED_ALREADY' });
    expect(await deadLetters(stream)).toEqual([]);
  });

  it('a backoff function is called with the attempt and the original error', async () => {
    const stream = freshName('orders');
    const asked: unknown[] = [];
    await failing(
      stream,
      () => {
        throw new RangeError('no');
      },
      {
        retry: {
          maxAttempts: 10,
          backoff: (attempt, error) => {
            asked.push([attempt, error instanceof RangeError]);
            return attempt < 3 ? 10 : 'dead-letter';
          },
        },
      },
    );
    await addEntries(redis.client, stream, [{}]);
    await waitFor(async () => (await deadLetters(stream)).length === 1);
    expect(asked).toEqual([
      [1, true],
      [2, true],
      [3, true],
    ]);
  });

  it('a handler that takes too long has its signal aborted, counts as failed, and does not keep its slot', async () => {
    const stream = freshName('orders');
    const seen: number[] = [];
    let reason: unknown;
    await failing(
      stream,
      (attempt, context) => {
        seen.push(attempt);
        if (attempt > 1) return undefined;
        const signal = context.getSignal();
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        return new Promise(() => undefined);
      },
      { handlerTimeoutMs: 100, retry: { backoff: QUICK } },
    );
    await addEntries(redis.client, stream, [{}]);
    await waitFor(() => caughtUp(stream));
    expect(seen).toEqual([1, 2]);
    expect(reason).toMatchObject({ code: 'HANDLER_TIMEOUT', timeoutMs: 100 });
  });

  it('at-most-once keeps a failed message as a dead letter, and does not run it again', async () => {
    const stream = freshName('orders');
    let runs = 0;
    await failing(
      stream,
      () => {
        runs++;
        throw new Error('no');
      },
      { delivery: 'at-most-once', retry: { backoff: QUICK } },
    );
    await addEntries(redis.client, stream, [{}]);
    await waitFor(async () => (await deadLetters(stream)).length === 1);
    await waitFor(async () => (await redis.client.hlen(keyOf(stream, 'leases'))) === 0);
    expect(runs).toBe(1);
    expect(await redis.client.zcard(keyOf(stream, 'processed'))).toBe(1);
  });

  it('deadLetter.maxLength limits how many are kept', async () => {
    const stream = freshName('orders');
    await failing(
      stream,
      () => {
        throw new DeadLetterException('never');
      },
      { deadLetter: { maxLength: 10 }, concurrency: 20 },
    );
    await addEntries(
      redis.client,
      stream,
      Array.from({ length: 400 }, (_, n) => ({ n })),
    );
    await waitFor(() => caughtUp(stream));
    expect((await deadLetters(stream)).length).toBeLessThan(200);
  });
});

describe('across members', () => {
  it('another member takes a message when it is due, and continues counting its attempts', async () => {
    const stream = freshName('orders');
    const seen: string[] = [];
    const retry = { backoff: { type: 'fixed', delayMs: 400, jitter: 0 } } as const;
    const first = await failing(
      stream,
      (attempt) => {
        seen.push(`first ${attempt}`);
        throw new Error('not here');
      },
      { retry },
      'first',
    );
    await addEntries(redis.client, stream, [{}]);
    await waitFor(async () => (await redis.client.zcard(keyOf(stream, 'retries'))) === 1);
    await first.close();
    const [entry] = await pendingEntries(redis.client, stream, GROUP);
    const dueAt = Number(await redis.client.zscore(keyOf(stream, 'retries'), entry?.id ?? ''));
    let startedAt = 0;
    await failing(
      stream,
      (attempt) => {
        startedAt = Date.now();
        seen.push(`second ${attempt}`);
      },
      { retry },
      'second',
    );
    await waitFor(() => caughtUp(stream));
    expect(seen).toEqual(['first 1', 'second 2']);
    expect(startedAt).toBeGreaterThanOrEqual(dueAt - 1);
  });

  it('an interrupted run counts as an attempt if it was alone or the first time; after the last one it is a dead letter', async () => {
    const stream = freshName('orders');
    let runs = 0;
    const open = (): Promise<StreamsApp> =>
      streamsApp(
        {
          connection: redis.url,
          group: GROUP,
          consumer: 'member-1',
          recovery: { minIdleMs: 1_000 },
          retry: { maxAttempts: 2, backoff: QUICK },
          shutdown: { drainTimeoutMs: 0 },
        },
        {
          controllers: [
            handlerOf(stream, () => {
              runs++;
              // For Redis, its process dies each time.
              return new Promise(() => undefined);
            }),
          ],
        },
      );
    const first = await open();
    await addEntries(redis.client, stream, [{ n: 1 }]);
    await waitFor(() => runs === 1);
    await first.close();
    const second = await open();
    await waitFor(() => runs === 2);
    await second.close();
    // Messages that run together when their process dies may not be the cause: each is charged once.
    const third = await open();
    await waitFor(() => runs === 3);
    await third.close();
    await open();
    await waitFor(async () => (await deadLetters(stream)).length === 1);
    expect(runs).toBe(3);
    expect((await deadLetters(stream))[0]).toMatchObject({ 'dead-letter-attempts': '2' });
    expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(0);
  });
});
