import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  type Codec,
  DeadLetters,
  FieldCodec,
  JsonCodec,
  MessageDecodingError,
  MessageEncodingError,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
  type RedisStreamsModuleOptions,
  WatermillCodec,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { lastFields, type RecordingApp, recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const UUID = '0190cafe-0000-7000-8000-00000000beef';
const OTHER_UUID = '0190cafe-0000-7000-8000-00000000f00d';

const reading = (
  stream: string,
  codec: Codec | undefined,
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<RecordingApp> =>
  recordingApp(stream, {
    connection: redis.url,
    group: GROUP,
    startFrom: 'beginning',
    ...(codec !== undefined && { codec }),
    ...options,
  });
const written = (stream: string): Promise<Buffer[]> => lastFields(redis.client, stream);
const bytes = (...fields: (string | Buffer)[]): Buffer[] => fields.map((each) => Buffer.from(each));
const caughtUp = (stream: string) => waitFor(() => isCaughtUp(redis.client, stream, GROUP));

describe('an empty payload', () => {
  it.each<[string, Codec, string[]]>([
    ['JsonCodec', new JsonCodec(), ['name', 'a', 'body', '']],
    ['WatermillCodec', new WatermillCodec(), ['payload', '']],
    ['FieldCodec', new FieldCodec({ field: 'data' }), ['data', '']],
  ])('is a dead letter if payloads are JSON: %s', async (_, codec, fields) => {
    const stream = freshName('orders');
    await redis.client.xadd(stream, '*', ...fields);
    const { handled, app } = await reading(stream, codec);
    await caughtUp(stream);
    const letters = await app.get(DeadLetters).list({ stream });
    expect(letters.map(({ reason }) => reason)).toEqual([expect.stringContaining('is not JSON')]);
    expect(handled).toEqual([]);
  });

  it.each<[string, 'text' | 'bytes', unknown]>([
    ['text', 'text', ''],
    ['bytes', 'bytes', Buffer.alloc(0)],
  ])('is empty %s, and is sent as an empty field', async (_, payload, expected) => {
    const [go, step] = [freshName('orders'), freshName('sensors')];
    for (const [stream, codec, field] of [
      [go, new WatermillCodec({ payload }), 'payload'],
      [step, new FieldCodec({ field: 'data', payload }), 'data'],
    ] as const) {
      await redis.client.xadd(stream, '*', field, '');
      const { handled, emit } = await reading(stream, codec);
      await emit(stream, expected);
      const fields = await written(stream);
      expect(fields[fields.findIndex((each) => each.equals(Buffer.from(field))) + 1]).toHaveLength(
        0,
      );
      await waitFor(() => handled.length === 2);
      expect(handled.map(({ payload: got }) => got)).toEqual([expected, expected]);
    }
  });
});

describe('a request in a stream that other programs read', () => {
  it.each<[string, Codec, string[]]>([
    ['JsonCodec', new JsonCodec(), ['name', 'body', 'id']],
    ['WatermillCodec', new WatermillCodec(), ['_watermill_message_uuid', 'payload', 'metadata']],
  ])('is an entry as of an event, and three fields more: %s', async (_, codec, own) => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url, codec });
    const answer = firstValueFrom(client.send(stream, { n: 1 }));
    answer.catch(() => undefined);
    const fields = await waitFor(async () => {
      const found = await written(stream);
      return found.length > 0 && found;
    });
    const names = fields.filter((__, at) => at % 2 === 0).map(String);
    const request = ['request-id', 'request-inbox', 'request-timeout-ms'];
    expect(names.sort()).toEqual([...own, ...request].sort());
    await client.close();
  });
});

describe('dtpyfw', () => {
  // json.dumps: a space after comma and colon, and only ASCII.
  const BODY = '{"order_id": "ORD-123", "total": 99.99, "city": "K\\u00f6ln", "paid": null}';

  it('is understood: name as text, body as JSON, no message ID', async () => {
    const stream = freshName('orders');
    await redis.client.xadd(stream, '*', 'name', 'order.created', 'body', BODY);
    const { handled } = await reading(stream, undefined);
    await caughtUp(stream);
    const [message] = handled;
    expect(handled).toHaveLength(1);
    expect(message).toMatchObject({
      name: 'order.created',
      payload: { order_id: 'ORD-123', total: 99.99, city: 'Köln', paid: null },
      headers: {},
    });
    expect(message?.messageId).toBe(message?.entryId);
  });

  it('finds its two fields in what is published here, and one more that it ignores', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, undefined);
    const record = new RedisStreamsRecordBuilder({ order_id: 'ORD-123', city: 'Köln' })
      .setName('order.created')
      .setMessageId('m-1')
      .build();
    await app.emit(stream, record);
    expect(await written(stream)).toEqual(
      bytes('name', 'order.created', 'body', '{"order_id":"ORD-123","city":"Köln"}', 'id', 'm-1'),
    );
  });

  it('reads a string if bytes were sent', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, undefined);
    await app.emit(stream, Buffer.from([0, 255, 16]));
    const fields = await written(stream);
    expect(fields.slice(0, 4)).toEqual(bytes('name', stream, 'body', '"AP8Q"'));
    await caughtUp(stream);
    expect(app.handled[0]?.payload).toEqual(Buffer.from([0, 255, 16]));
  });

  it("may write Python's NaN, which is not JSON: a dead letter, and the next is handled", async () => {
    const stream = freshName('orders');
    await redis.client.xadd(stream, '*', 'name', 'a', 'body', '{"total": NaN}');
    await redis.client.xadd(stream, '*', 'name', 'a', 'body', '{"total": 1}');
    const { app, handled } = await reading(stream, undefined);
    await caughtUp(stream);
    expect(handled.map(({ payload }) => payload)).toEqual([{ total: 1 }]);
    const [letter] = await app.get(DeadLetters).list({ stream });
    expect(letter).toMatchObject({ attempts: 0, error: { name: 'MessageDecodingError' } });
    expect(letter?.fields).toEqual(bytes('name', 'a', 'body', '{"total": NaN}'));
  });
});

describe('natricine', () => {
  const codec = new WatermillCodec({ uuidKey: '_natricine_message_uuid' });
  // msgpack.packb({'name': 'CreateOrder', 'trace': 'ü'})
  const METADATA = Buffer.from('82a46e616d65ab4372656174654f72646572a57472616365a2c3bc', 'hex');

  it('is understood, with metadata and without the field', async () => {
    const stream = freshName('orders');
    const uuid = '_natricine_message_uuid';
    await redis.client.xadd(stream, '*', uuid, UUID, 'payload', '{"id": 1}');
    const second = [uuid, OTHER_UUID, 'payload', '{"id": 2}', 'metadata', METADATA];
    await redis.client.xadd(stream, '*', ...second);
    const { handled } = await reading(stream, codec);
    await caughtUp(stream);
    expect(handled).toMatchObject([
      { messageId: UUID, payload: { id: 1 }, name: stream, headers: {} },
      {
        messageId: OTHER_UUID,
        payload: { id: 2 },
        name: 'CreateOrder',
        headers: { trace: 'ü' },
      },
    ]);
  });

  it('finds its three fields in what is published here, and no others', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, codec);
    const record = new RedisStreamsRecordBuilder({ id: 2 })
      .setName('CreateOrder')
      .setHeaders({ trace: 'ü' })
      .setMessageId(UUID)
      .build();
    await app.emit(stream, record);
    // The same map: headers first.
    const metadata = Buffer.from('82a57472616365a2c3bca46e616d65ab4372656174654f72646572', 'hex');
    expect(await written(stream)).toEqual([
      ...bytes('_natricine_message_uuid', UUID, 'payload', '{"id":2}'),
      ...bytes('metadata', metadata),
    ]);
  });

  it('gets a UUID if no message ID is set, and never anything else', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, codec);
    const { messageId } = await app.emit(stream, { id: 1 });
    expect((await written(stream))[1]?.toString()).toBe(messageId);
    const record = new RedisStreamsRecordBuilder({ id: 2 }).setMessageId('order-2').build();
    await expect(app.emit(stream, record)).rejects.toThrow(MessageEncodingError);
    expect(await redis.client.xlen(stream)).toBe(1);
  });
});

describe('Watermill', () => {
  const codec = new WatermillCodec();
  const KEY = '_watermill_message_uuid';
  // msgpack.Marshal(message.Metadata{"name": "orders.OrderPlaced", "correlation_id": "7"})
  const METADATA = Buffer.from(
    '82a46e616d65b26f72646572732e4f72646572506c61636564ae636f7272656c6174696f6e5f6964a137',
    'hex',
  );

  it('is understood with full metadata, an empty map, or no bytes', async () => {
    const stream = freshName('orders');
    const ids = [UUID, OTHER_UUID, 'a ULID is fine'];
    for (const [n, metadata] of [METADATA, Buffer.from([0x80]), Buffer.alloc(0)].entries()) {
      const fields = [KEY, ids[n] ?? '', 'metadata', metadata, 'payload', `{"n":${n}}`];
      await redis.client.xadd(stream, '*', ...fields);
    }
    const { handled } = await reading(stream, codec);
    await caughtUp(stream);
    expect(handled).toMatchObject([
      {
        messageId: UUID,
        payload: { n: 0 },
        name: 'orders.OrderPlaced',
        headers: { correlation_id: '7' },
      },
      { messageId: OTHER_UUID, payload: { n: 1 }, name: stream, headers: {} },
      { messageId: 'a ULID is fine', payload: { n: 2 }, name: stream, headers: {} },
    ]);
  });

  it("is handled once if it published a message twice: by Watermill's own UUID", async () => {
    const stream = freshName('orders');
    for (const n of [1, 2]) {
      await redis.client.xadd(stream, '*', KEY, UUID, 'metadata', '', 'payload', String(n));
    }
    const { handled, monitor } = await reading(stream, codec);
    await caughtUp(stream);
    expect(handled.map(({ payload }) => payload)).toEqual([1]);
    expect((await monitor.getStats()).counts.duplicate).toBe(1);
  });

  it.each([{}, { publishDedup: false } as const])(
    'finds its three fields in what is published here: %j',
    async (options) => {
      const stream = freshName('orders');
      const app = await reading(stream, codec, options);
      const record = new RedisStreamsRecordBuilder({ n: 1 })
        .setName('orders.OrderPlaced')
        .setMessageId('m-1')
        .build();
      await app.emit(stream, record);
      const metadata = Buffer.from('81a46e616d65b26f72646572732e4f72646572506c61636564', 'hex');
      expect(await written(stream)).toEqual(
        bytes(KEY, 'm-1', 'payload', '{"n":1}', 'metadata', metadata),
      );
    },
  );

  it('gets bytes unchanged, and they come back unchanged', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, codec);
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await app.emit(stream, all);
    await app.emit(stream, new Uint8Array(all.buffer, all.byteOffset, 3));
    await caughtUp(stream);
    expect(app.handled.map(({ payload }) => payload)).toEqual([all, Buffer.from([0, 1, 2])]);
    expect((await written(stream))[3]).toEqual(Buffer.from([0, 1, 2]));
  });

  it("carries what Nest's dispatch hook attached", async () => {
    const stream = freshName('orders');
    const app = await reading(stream, codec);
    app.client.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: '00-1' };
    });
    await app.emit(stream, { n: 1 });
    await caughtUp(stream);
    expect(app.handled).toMatchObject([
      { metadata: { traceparent: '00-1' }, headers: {}, payload: { n: 1 } },
    ]);
  });

  it('is listed and redriven as a dead letter by its own message ID', async () => {
    const stream = freshName('orders');
    let fail = true;
    const seen: unknown[] = [];
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        delivery: 'at-most-once',
        streams: { [stream]: { codec } },
      },
      {
        controllers: [
          handlerOf(stream, (payload) => {
            if (fail) throw new Error('no');
            seen.push(payload);
          }),
        ],
      },
    );
    await redis.client.xadd(stream, '*', KEY, UUID, 'metadata', METADATA, 'payload', '{"n":1}');
    const letters = app.app.get(DeadLetters);
    await waitFor(async () => (await letters.count({ stream })) === 1);
    const expected = { messageId: UUID, name: 'orders.OrderPlaced', payload: { n: 1 } };
    expect(await letters.list({ stream })).toMatchObject([expected]);

    const alone = new DeadLetters({ connection: redis.url, group: GROUP, codec });
    expect(await alone.list({ stream })).toMatchObject([expected]);
    fail = false;
    // At-most-once has the UUID in its ledger: unless it is removed, the redrive would be a duplicate.
    expect(await alone.redrive({ stream })).toEqual({ redriven: 1 });
    alone.close();
    await waitFor(() => seen.length === 1);
    expect(seen).toEqual([{ n: 1 }]);
  });

  it('becomes a dead letter if its metadata is invalid, and the next is handled', async () => {
    const stream = freshName('orders');
    await redis.client.xadd(stream, '*', KEY, UUID, 'metadata', '{"a":1}', 'payload', '1');
    await redis.client.xadd(stream, '*', KEY, OTHER_UUID, 'metadata', '', 'payload', '2');
    const { app, handled } = await reading(stream, codec);
    await caughtUp(stream);
    expect(handled.map(({ payload }) => payload)).toEqual([2]);
    expect(await app.get(DeadLetters).list({ stream })).toMatchObject([
      { error: { name: MessageDecodingError.name }, payload: undefined, name: undefined },
    ]);
  });
});

describe('STEP', () => {
  const codec = new FieldCodec({ field: 'data', payload: 'text' });

  it('is understood: one field of text', async () => {
    const stream = freshName('data');
    const entryId = await redis.client.xadd(stream, '*', 'data', 'Hello, Redis!');
    const { handled } = await reading(stream, codec);
    await caughtUp(stream);
    expect(handled).toMatchObject([
      { payload: 'Hello, Redis!', messageId: entryId, name: stream, headers: {} },
    ]);
  });

  it('finds its field in what is published here, and no others', async () => {
    const stream = freshName('data');
    const app = await reading(stream, codec);
    await app.emit(stream, 'Hello, STEP!');
    expect(await written(stream)).toEqual(bytes('data', 'Hello, STEP!'));
    await caughtUp(stream);
    expect(app.handled.map(({ payload }) => payload)).toEqual(['Hello, STEP!']);
  });

  it('gets a message once, by a message ID that the entry does not carry', async () => {
    const stream = freshName('data');
    const app = await reading(stream, codec);
    const record = new RedisStreamsRecordBuilder('once').setMessageId('m-1').build();
    const first = await app.emit(stream, record);
    const second = await app.emit(stream, record);
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  it('gets nothing of which a part would be lost: the caller gets an error', async () => {
    const stream = freshName('data');
    const app = await reading(stream, codec);
    const record = new RedisStreamsRecordBuilder('x').setHeaders({ tenant: 'eu' }).build();
    await expect(app.emit(stream, record)).rejects.toThrow('its headers would be lost');
    await expect(app.emit(stream, Buffer.from('x'))).rejects.toThrow(MessageEncodingError);
    expect(await redis.client.xlen(stream)).toBe(0);
  });

  it('can carry bytes', async () => {
    const stream = freshName('data');
    const app = await reading(stream, new FieldCodec({ field: 'data', payload: 'bytes' }));
    const payload = Buffer.from([0, 255, 10, 13, 128]);
    await app.emit(stream, payload);
    expect(await written(stream)).toEqual(bytes('data', payload));
    await caughtUp(stream);
    expect(app.handled[0]?.payload).toEqual(payload);
  });
});

describe('codecs of one app', () => {
  it('are those of their streams, and the common one for the others', async () => {
    const [orders, sensors, own] = [freshName('orders'), freshName('sensors'), freshName('own')];
    const seen = new Map<string, unknown>();
    const keep = (stream: string) =>
      handlerOf(stream, (payload) => void seen.set(stream, payload), { startFrom: 'beginning' });
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        streams: {
          [orders]: { codec: new WatermillCodec() },
          [sensors]: { codec: new FieldCodec({ field: 'v' }) },
        },
      },
      { controllers: [keep(orders), keep(sensors), keep(own)] },
    );
    await app.emit(orders, { a: 1 });
    await app.emit(sensors, 17.5);
    await app.emit(own, { c: 3 });
    await waitFor(() => seen.size === 3);
    expect(Object.fromEntries(seen)).toEqual({
      [orders]: { a: 1 },
      [sensors]: 17.5,
      [own]: { c: 3 },
    });
    expect((await written(orders))[0]?.toString()).toBe('_watermill_message_uuid');
    expect(await written(sensors)).toEqual(bytes('v', '17.5'));
    expect((await written(own))[0]?.toString()).toBe('name');
  });

  it('can be set for a standalone client too', async () => {
    const stream = freshName('sensors');
    const client = new ClientRedisStreams({
      connection: redis.url,
      streams: { [stream]: { codec: new FieldCodec({ field: 'v' }) } },
    });
    const receipt: PublishReceipt = await firstValueFrom(client.emit(stream, [1, 2]));
    await client.close();
    expect(receipt.duplicate).toBe(false);
    expect(await written(stream)).toEqual(bytes('v', '[1,2]'));
  });

  it('can be custom, and an error thrown while reading makes a dead letter', async () => {
    const stream = freshName('rates');
    const csv: Codec = {
      encode: (_, { payload }) => ['csv', String(payload)],
      decode: ([field, value]) => {
        if (field?.toString() !== 'csv') throw new TypeError('no csv');
        return { payload: value?.toString().split(',') };
      },
    };
    const { app, emit, handled } = await reading(stream, csv);
    await redis.client.xadd(stream, '*', 'tsv', 'x');
    await emit(stream, ['EUR', '1.07']);
    await caughtUp(stream);
    expect(handled).toMatchObject([{ payload: ['EUR', '1.07'], name: stream }]);
    expect(await app.get(DeadLetters).list({ stream })).toMatchObject([
      { error: { name: 'TypeError', message: 'no csv' } },
    ]);
  });
});
