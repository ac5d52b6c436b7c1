import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';

import {
  DeadLetters,
  FieldCodec,
  type RedisStreamsContext,
  type RedisStreamsModuleOptions,
  RedisStreamsRecordBuilder,
  type StreamOptions,
  type SubscriptionOptions,
  WatermillCodec,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';

type Schema = NonNullable<StreamOptions['schema']>;

/** A schema whose behaviour the test decides. */
const schemaOf = (validate: (value: unknown) => unknown): Schema =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as Schema;

const Order = z.object({
  id: z.string(),
  at: z.coerce.date(),
  quantity: z.number().min(1).default(1),
});

interface ReadingParts {
  readonly stream?: string;
  readonly schema?: Schema | undefined;
  readonly streamOptions?: StreamOptions;
  readonly options?: Partial<RedisStreamsModuleOptions>;
  readonly subscription?: SubscriptionOptions;
  readonly controllers?: Type[];
  readonly handle?: (data: unknown, context: RedisStreamsContext) => unknown;
}

/** An app that reads a stream with a schema, from its beginning. */
async function reading(parts: ReadingParts = {}) {
  const {
    stream = freshName('orders'),
    schema,
    streamOptions,
    options,
    subscription,
    handle,
  } = parts;
  const handled: unknown[] = [];
  const handler = handlerOf(
    stream,
    (data, context) => {
      handled.push(data);
      return handle?.(data, context);
    },
    subscription,
  );
  const app = await streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      ...options,
      streams: {
        [stream]: {
          ...streamOptions,
          ...(schema === undefined ? {} : { schema }),
        } as StreamOptions,
      },
    },
    { controllers: parts.controllers ?? [handler] },
  );
  const add = (body: unknown, name = 'a', ...more: string[]) =>
    redis.client.xadd(stream, '*', 'name', name, 'body', JSON.stringify(body), ...more);
  return {
    ...app,
    stream,
    handled,
    add,
    counts: () => app.monitor.getStats().counts,
    letters: () => app.app.get(DeadLetters).list({ stream }),
    caughtUp: () => waitFor(() => isCaughtUp(redis.client, stream, GROUP)),
  };
}

describe('a schema of a consumed stream', () => {
  it.each<[string, Schema]>([
    ['zod', Order],
    [
      'valibot',
      v.object({
        id: v.string(),
        at: v.pipe(v.string(), v.transform((text) => new Date(text))), // prettier-ignore
        quantity: v.optional(v.number(), 1),
      }),
    ],
    ['arktype', type({ id: 'string', at: 'string.date.parse', quantity: 'number = 1' })],
  ])('of %s gives handlers its output', async (_, schema) => {
    const { add, handled, caughtUp } = await reading({ schema });
    await add({ id: 'o-1', at: '2026-01-02T00:00:00Z' });
    await caughtUp();
    expect(handled).toEqual([{ id: 'o-1', at: new Date('2026-01-02T00:00:00Z'), quantity: 1 }]);
  });

  it('makes a dead letter of what does not fit, at once, with the issues as its reason', async () => {
    const { add, stream, handled, letters, counts, caughtUp } = await reading({ schema: Order });
    const entryId = await add({ id: 7, at: 'never' }, 'order.created', 'id', 'm-1', 'extra', 'x');
    await add({ id: 'o-2', at: '2026-01-02' });
    await caughtUp();
    expect(handled).toMatchObject([{ id: 'o-2' }]);
    const [letter, ...others] = await letters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      entryId,
      stream,
      messageId: 'm-1',
      name: 'order.created',
      reason: expect.stringMatching(/^id: .*expected string.*; at: .*date/i),
      error: {
        name: 'MessageValidationError',
        message: expect.stringContaining(`A message of stream "${stream}" does not fit its schema`),
      },
      attempts: 0,
      payload: { id: 7, at: 'never' },
    });
    expect(letter?.fields.map(String)).toEqual([
      'name', 'order.created', 'body', '{"id":7,"at":"never"}', 'id', 'm-1', 'extra', 'x',
    ]); // prettier-ignore
    expect(counts()).toMatchObject({ handled: 1, failed: 0, retried: 0, deadLettered: 1 });
  });

  it.each<[string, SubscriptionOptions]>([
    ['at-most-once', { delivery: 'at-most-once' }],
    ['without a ledger', { dedup: false }],
    ['at-most-once without a ledger', { delivery: 'at-most-once', dedup: false }],
    ['with blocking retries', { retry: { blocking: true } }],
    ['with many at a time', { concurrency: 8 }],
  ])('does so %s', async (_, subscription) => {
    const { add, handled, letters, counts, caughtUp } = await reading({
      schema: Order,
      subscription,
    });
    await add({ id: 7 });
    await add({ id: 'o-2', at: '2026-01-02' });
    await caughtUp();
    await waitFor(() => handled.length === 1);
    expect(await waitFor(letters)).toHaveLength(1);
    expect(counts()).toMatchObject({ failed: 0, deadLettered: 1 });
  });

  it('lets a redriven message through once it fits, and dead-letters it again before', async () => {
    const stream = freshName('orders');
    const strict = await reading({ stream, schema: z.object({ id: z.string() }) });
    await strict.add({ id: 7 }, 'a', 'id', 'm-1');
    await strict.caughtUp();
    const [first] = await strict.letters();
    await strict.app.get(DeadLetters).redrive({ stream });
    const [again] = await waitFor(async () => {
      const letters = await strict.letters();
      return letters[0]?.id !== first?.id && letters;
    });
    expect(again).toMatchObject({ messageId: 'm-1', attempts: 0, reason: first?.reason });
    await strict.close();

    const loose = await reading({ stream, schema: z.object({ id: z.coerce.string() }) });
    await loose.app.get(DeadLetters).redrive({ stream });
    await waitFor(() => loose.handled.length === 1);
    expect(loose.handled).toEqual([{ id: '7' }]);
    await waitFor(async () => (await loose.letters()).length === 0);
  });

  it('validates the message again for each attempt: a handler may have changed its payload', async () => {
    const seen: unknown[] = [];
    const { add, caughtUp, counts } = await reading({
      schema: z.object({ n: z.number() }),
      subscription: { retry: { maxAttempts: 3, backoff: { type: 'fixed', delayMs: 1 } } },
      handle: (data) => {
        const order = data as { n: number };
        seen.push(order.n);
        order.n = -1;
        if (seen.length < 3) throw new Error('not yet');
      },
    });
    await add({ n: 7 });
    await caughtUp();
    expect(seen).toEqual([7, 7, 7]);
    expect(counts()).toMatchObject({ handled: 1, retried: 2, deadLettered: 0 });
  });

  it('is not called for messages in the ledger, nor for unhandled ones', async () => {
    const asked: unknown[] = [];
    const stream = freshName('orders');
    const handled: unknown[] = [];
    const { add, caughtUp, counts } = await reading({
      stream,
      schema: schemaOf((value) => {
        asked.push(value);
        return { value };
      }),
      controllers: [
        handlerOf({ stream, name: 'order.created' }, (data) => void handled.push(data)),
      ],
    });
    await add(1, 'order.created', 'id', 'm-1');
    await caughtUp();
    await add(2, 'order.created', 'id', 'm-1');
    await add(3, 'order.paid');
    await caughtUp();
    expect(asked).toEqual([1]);
    expect(handled).toEqual([1]);
    expect(counts()).toMatchObject({ handled: 1, duplicate: 1, unhandled: 1, deadLettered: 0 });
  });

  it('sees what a codec and a deserializer have read', async () => {
    const watermill = await reading({
      schema: Order,
      streamOptions: { codec: new WatermillCodec() },
    });
    const record = new RedisStreamsRecordBuilder({ id: 'o-1', at: '2026-01-02' })
      .setName('orders.OrderPlaced')
      .build();
    await watermill.emit(watermill.stream, record);
    await watermill.caughtUp();
    expect(watermill.handled).toMatchObject([{ at: new Date('2026-01-02'), quantity: 1 }]);

    const bytes = await reading({
      schema: z.instanceof(Uint8Array).refine((value) => value.length === 2),
      streamOptions: { codec: new FieldCodec({ field: 'data', payload: 'bytes' }) },
    });
    await redis.client.xadd(bytes.stream, '*', 'data', Buffer.from([0xff]));
    await redis.client.xadd(bytes.stream, '*', 'data', Buffer.from([0xff, 0x00]));
    await bytes.caughtUp();
    expect(bytes.handled).toEqual([Buffer.from([0xff, 0x00])]);
    expect(await bytes.letters()).toMatchObject([{ payload: Buffer.from([0xff]) }]);

    const packets = await reading({
      schema: Order,
      options: { deserializer: { deserialize: ({ d }) => ({ pattern: '', data: d }) } },
    });
    await packets.add({ d: { id: 'o-1', at: '2026-01-02' } });
    await packets.caughtUp();
    expect(packets.handled).toMatchObject([{ id: 'o-1' }]);
  });

  it.each<[string, (value: unknown) => unknown]>([
    ['throws', () => { throw new TypeError('no such table'); }], // prettier-ignore
    ['rejects', () => Promise.reject(new TypeError('no such table'))],
  ])('that %s makes a dead letter, and handlers are not called', async (_, validate) => {
    const { add, handled, letters, caughtUp } = await reading({ schema: schemaOf(validate) });
    await add(1);
    await caughtUp();
    expect(handled).toEqual([]);
    expect(await letters()).toMatchObject([
      { reason: 'the schema failed: TypeError: no such table', attempts: 0, payload: 1 },
    ]);
  });
});

describe('an asynchronous schema of a consumed stream', () => {
  it('keeps the order, and is awaited', async () => {
    const { add, handled, letters, caughtUp } = await reading({
      schema: schemaOf(
        (value) =>
          new Promise((resolve) => {
            const number = Number(value);
            const result =
              number === 3 ? { issues: [{ message: 'no threes' }] } : { value: number * 10 };
            setTimeout(() => resolve(result), 20 - 4 * number);
          }),
      ),
    });
    for (const n of [1, 2, 3, 4]) await add(n);
    await caughtUp();
    expect(handled).toEqual([10, 20, 40]);
    expect(await letters()).toMatchObject([{ reason: 'no threes', payload: 3 }]);
  });

  it('counts towards the time that a handler may take', async () => {
    const { add, letters, counts, caughtUp } = await reading({
      schema: schemaOf(() => new Promise(() => undefined)),
      subscription: { handlerTimeoutMs: 50, retry: { maxAttempts: 1 } },
    });
    await add(1);
    await caughtUp();
    expect(await letters()).toMatchObject([{ error: { name: 'HandlerTimeoutError' } }]);
    expect(counts()).toMatchObject({ failed: 1, deadLettered: 1 });
  });

  it('that fails because the app closes leaves its message to the group', async () => {
    let refuse: ((error: Error) => void) | undefined;
    const closing = await reading({
      schema: schemaOf(
        () =>
          new Promise((_, reject) => {
            refuse = reject;
          }),
      ),
    });
    await closing.add(1);
    await waitFor(() => refuse !== undefined);
    const drained = closing.server.drain();
    refuse?.(new Error('the database is gone'));
    await drained;
    await closing.close();
    const next = await reading({ stream: closing.stream });
    await waitFor(() => next.handled.length === 1);
    expect(await next.letters()).toEqual([]);
  });
});
