import { describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import { firstValueFrom } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';

import {
  ClientRedisStreams,
  FieldCodec,
  MessageValidationError,
  type PublishedStreamOptions,
  type RedisStreamsClientOptions,
  RedisStreamsError,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

type Schema = NonNullable<PublishedStreamOptions['schema']>;

const Order = z.object({ id: z.string(), quantity: z.number().min(1) });

/** A client of an app, whose stream has this schema. */
async function publishing(schema: Schema, options: Partial<RedisStreamsClientOptions> = {}) {
  const stream = freshName('orders');
  const { app, client } = await streamsApp(
    {
      connection: redis.url,
      group: 'billing',
      ...options,
      streams: { ...options.streams, [stream]: { ...options.streams?.['it'], schema } },
    },
    {},
  );
  const emit = (data: unknown, name?: string) =>
    firstValueFrom(client.emit(name === undefined ? stream : { stream, name }, data));
  const bodies = async (): Promise<unknown[]> =>
    (await redis.client.xrange(stream, '-', '+')).map(([, fields]) => fields[3]);
  return { app, client, stream, emit, bodies };
}

/** A schema whose behaviour the test decides. */
const schemaOf = (validate: (value: unknown) => unknown): Schema =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as Schema;

const failureOf = async (call: Promise<unknown>): Promise<MessageValidationError> => {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof MessageValidationError)) throw new Error(`got ${String(error)}`);
  return error;
};

describe('a schema of a published stream', () => {
  it.each<[string, Schema]>([
    ['zod', Order],
    ['valibot', v.object({ id: v.string(), quantity: v.pipe(v.number(), v.minValue(1)) })],
    ['arktype', type({ id: 'string', quantity: 'number>=1' })],
  ])('of %s accepts what fits, and nothing else', async (_, schema) => {
    const { stream, emit, bodies } = await publishing(schema);
    const error = await failureOf(emit({ id: 'o-1', quantity: 0 }));
    expect(error).toBeInstanceOf(RedisStreamsError);
    expect(error).toMatchObject({ code: 'MESSAGE_NOT_VALID', stream, index: undefined });
    expect(error.issues).toEqual([{ path: 'quantity', message: expect.any(String) }]);
    expect(error.message).toBe(
      `A message of stream "${stream}" does not fit its schema: quantity: ${error.issues[0]?.message}`,
    );
    expect(await bodies()).toEqual([]);

    await emit({ id: 'o-1', quantity: 1 });
    expect(await bodies()).toEqual(['{"id":"o-1","quantity":1}']);
  });

  it('applies to the payload in a record, and to messages of every name', async () => {
    const { emit, bodies } = await publishing(Order);
    const record = (quantity: number) =>
      new RedisStreamsRecordBuilder({ id: 'o-1', quantity }).setHeaders({ a: 'b' }).build();
    await failureOf(emit(record(0)));
    await failureOf(emit(record(0), 'order.created'));
    await emit(record(1), 'order.created');
    expect(await bodies()).toHaveLength(1);
  });

  it('leaves what is sent as it was given: the readers have the same schema', async () => {
    const { emit, bodies } = await publishing(
      z.object({ at: z.string().transform((text) => new Date(text)), n: z.number().default(7) }),
    );
    await emit({ at: '2026-01-02', unknown: true });
    expect(await bodies()).toEqual(['{"at":"2026-01-02","unknown":true}']);
  });

  it("sees the caller's payload, not a serializer's output", async () => {
    const { emit, bodies } = await publishing(Order, {
      serializer: { serialize: ({ data }) => ({ wrapped: data }) },
    });
    await failureOf(emit({ wrapped: { id: 'o-1', quantity: 1 } }));
    await emit({ id: 'o-1', quantity: 1 });
    expect(await bodies()).toEqual(['{"wrapped":{"id":"o-1","quantity":1}}']);
  });

  it('can be for bytes or text, with the codec of the stream', async () => {
    const bytes = await publishing(
      z.instanceof(Uint8Array).refine((value) => value.length > 1),
      {
        streams: { it: { codec: new FieldCodec({ field: 'data', payload: 'bytes' }) } },
      },
    );
    await failureOf(bytes.emit(Buffer.from('a')));
    await bytes.emit(Buffer.from('ab'));
    const text = await publishing(z.string().max(3), {
      streams: { it: { codec: new FieldCodec({ field: 'data', payload: 'text' }) } },
    });
    await failureOf(text.emit('abcd'));
    await text.emit('abc');
    expect(await redis.client.xlen(bytes.stream)).toBe(1);
    expect(await redis.client.xlen(text.stream)).toBe(1);
  });

  it('reports at most ten issues, each truncated, and never the payload', async () => {
    const { emit } = await publishing(z.array(z.number()));
    const error = await failureOf(emit(Array.from({ length: 5_000 }, () => 'secret'.repeat(100))));
    expect(error.issues).toHaveLength(10);
    expect(error.issues[9]?.path).toBe('[9]');
    expect(error.reason).toMatch(/; and 4990 more$/);
    expect(error.reason.length).toBeLessThan(2_000);
    expect(JSON.stringify([error, error.stack, error.cause])).not.toContain('secret');
  });

  it.each<[string, (value: unknown) => unknown, string]>([
    ['throws', () => { throw new TypeError('no such table'); }, 'no such table'], // prettier-ignore
    ['rejects', () => Promise.reject(new TypeError('no such table')), 'no such table'],
    ['gives nothing', () => undefined, 'neither a value nor issues'],
    ['gives nothing later', async () => undefined, 'neither a value nor issues'],
  ])('that %s is an error of the caller, with its cause', async (_, validate, reason) => {
    const { emit, bodies } = await publishing(schemaOf(validate));
    const error = await failureOf(emit({}));
    expect(error.reason).toMatch(/^the schema failed: /);
    expect(error.reason).toContain(reason);
    expect(error.issues).toEqual([]);
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(await bodies()).toEqual([]);
  });

  it('logs its error if nobody observes it', async () => {
    const { client, stream } = await publishing(Order);
    client.emit(stream, { id: 7 });
    await waitFor(() => logged('error', `stream "${stream}" does not fit its schema`).length === 1);
  });

  it('applies in a client without the module', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({
      connection: redis.url,
      streams: { [stream]: { schema: Order } },
    });
    await failureOf(firstValueFrom(client.emit(stream, { id: 7 })));
    await firstValueFrom(client.emit(stream, { id: 'o-1', quantity: 1 }));
    await client.close();
    expect(await redis.client.xlen(stream)).toBe(1);
  });
});

describe('an asynchronous schema of a published stream', () => {
  /** Answers each payload when the test says so. */
  function gated() {
    const gates = new Map<unknown, (result: object) => void>();
    const schema = schemaOf((value) =>
      value === 'at once' ? { value } : new Promise((resolve) => gates.set(value, resolve)),
    );
    return {
      schema,
      letThrough: (value: unknown) => gates.get(value)?.({ value }),
      refuse: (value: unknown) => gates.get(value)?.({ issues: [{ message: 'no' }] }),
    };
  }

  it('keeps the order of the calls, also for payloads that it accepts at once', async () => {
    const { schema, letThrough } = gated();
    const { emit, bodies } = await publishing(schema);
    const calls = ['a', 'b', 'at once', 'c'].map((value) => emit(value));
    for (const value of ['c', 'b', 'a']) letThrough(value);
    await Promise.all(calls);
    expect(await bodies()).toEqual(['"a"', '"b"', '"at once"', '"c"']);
    await emit('at once');
    expect(await bodies()).toHaveLength(5);
  });

  it('does not hold up other streams', async () => {
    const { schema, letThrough } = gated();
    const { client, emit } = await publishing(schema);
    const call = emit('a');
    const other = freshName('payments');
    await firstValueFrom(client.emit(other, 'b'));
    expect(await redis.client.xlen(other)).toBe(1);
    letThrough('a');
    await call;
  });

  it('refuses only what does not fit; the messages behind it are sent', async () => {
    const { schema, letThrough, refuse } = gated();
    const { emit, bodies } = await publishing(schema);
    const [a, b] = [failureOf(emit('a')), emit('b')];
    letThrough('b');
    refuse('a');
    expect((await a).issues).toEqual([{ path: '', message: 'no' }]);
    await b;
    expect(await bodies()).toEqual(['"b"']);
  });

  it('sends the payload as it was at the call', async () => {
    const { emit, bodies } = await publishing(Order.refine(async () => true));
    const order = { id: 'o-1', quantity: 1 };
    const call = emit(order);
    order.quantity = 0;
    await call;
    expect(await bodies()).toEqual(['{"id":"o-1","quantity":1}']);
  });

  it('has as long as publishing may take', async () => {
    const { schema } = gated();
    const { emit, bodies } = await publishing(schema, { publishTimeoutMs: 200 });
    const [stuck, next] = [failureOf(emit('a')), emit('at once')];
    expect((await stuck).reason).toBe('the schema gave no answer within 200 ms');
    await next;
    expect(await bodies()).toEqual(['"at once"']);
  });

  it('is awaited when the client is closed', async () => {
    const { schema, letThrough } = gated();
    const { client, emit, bodies } = await publishing(schema);
    await emit('at once');
    const call = emit('a');
    const closed = client.close();
    letThrough('a');
    await Promise.all([call, closed]);
    expect(await bodies()).toEqual(['"at once"', '"a"']);
  });
});

describe('a schema and a batch', () => {
  it.each<[string, Schema]>([
    ['at once', Order],
    ['later', Order.refine(async ({ quantity }) => quantity < 10)],
  ])(
    'that it refuses %s: none of it is sent, and the error names the first item',
    async (_, schema) => {
      const { client, stream, bodies } = await publishing(schema);
      const orders = [1, 2, 0, 3, 0].map((quantity) => ({ id: 'o-1', quantity }));
      const error = await failureOf(firstValueFrom(client.emitBatch(stream, orders)));
      expect(error.index).toBe(2);
      expect(error.issues).toMatchObject([{ path: 'quantity' }]);
      expect(error.message).toMatch(/^Item 2 of a batch .* nothing of it was sent/);
      expect(await bodies()).toEqual([]);
      const fine = orders.filter(({ quantity }) => quantity > 0);
      expect(await firstValueFrom(client.emitBatch(stream, fine))).toHaveLength(3);
      expect(await bodies()).toHaveLength(3);
    },
  );
});
