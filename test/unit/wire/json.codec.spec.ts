import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  type EntryFields,
  JsonCodec,
  MessageDecodingError,
  MessageEncodingError,
  type MessageEnvelope,
} from '../../../lib/index.js';

const codec = new JsonCodec();

/** Fields as they come back from Redis. */
const raw = (fields: EntryFields): Buffer[] => fields.map((field) => Buffer.from(field));
const roundTrip = (envelope: MessageEnvelope): MessageEnvelope =>
  codec.decode(raw(codec.encode('orders', envelope)));
const payloadThrough = (payload: unknown): unknown =>
  roundTrip({ name: 'orders', payload }).payload;

describe('JsonCodec.encode', () => {
  it('writes what other programs read: name, and body as JSON', () => {
    expect(codec.encode('orders', { name: 'order.created', payload: { n: 1 } })).toEqual([
      'name',
      'order.created',
      'body',
      '{"n":1}',
    ]);
  });

  it('writes the other fields if the message has them', () => {
    const fields = codec.encode('orders', {
      name: 'order.created',
      payload: null,
      messageId: 'm-1',
      headers: { tenant: 'eu' },
      metadata: { trace: { id: 7 } },
      key: 'customer-1',
    });
    expect(fields).toEqual(
      [
        ['name', 'order.created'],
        ['body', 'null'],
        ['id', 'm-1'],
        ['headers', '{"tenant":"eu"}'],
        ['metadata', '{"trace":{"id":7}}'],
        ['key', 'customer-1'],
      ].flat(),
    );
  });

  it('writes no field for empty headers', () => {
    expect(codec.encode('orders', { name: 'a', payload: 1, headers: {} })).not.toContain('headers');
  });

  it('writes bytes as base64 in a JSON string, and marks them', () => {
    const fields = codec.encode('orders', { name: 'a', payload: Buffer.from([0, 255, 16]) });
    expect(fields).toEqual(['name', 'a', 'body', '"AP8Q"', 'body-encoding', 'base64']);
  });

  const circular: Record<string, unknown> = { card: '4111-secret' };
  circular['self'] = { inner: circular };

  it.each([
    ['a BigInt', { total: 4111n, card: '4111-secret' }],
    ['something circular', circular],
    ['a function', () => '4111-secret'],
    ['a symbol', Symbol('4111-secret')],
    ['undefined', undefined],
  ])('refuses %s, with an error that does not quote the body', (_, payload) => {
    const error = thrownBy(() => codec.encode('orders', { name: 'a', payload }));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(error).toMatchObject({ code: 'MESSAGE_NOT_ENCODABLE', stream: 'orders' });
    expect(error.message).toContain('nothing was sent');
    expect(error.message).not.toMatch(/4111|card|inner|\n/);
  });

  class Money {
    constructor(readonly cents: number) {}
  }

  it.each<[string, unknown]>([
    ['NaN', { card: Number.NaN }],
    ['Infinity', [Number.POSITIVE_INFINITY]],
    ['an invalid Date', { at: new Date(Number.NaN) }],
    ['a Map', { all: new Map([['card', 4111]]) }],
    ['a Set', new Set([4111])],
    ['a RegExp', { card: /4111/ }],
    ['an Error', new Error('4111')],
    ['a Promise', { card: Promise.resolve(4111) }],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a DataView', { card: new DataView(new ArrayBuffer(4)) }],
    ['a list of floats', new Float64Array([4111])],
    ['bytes below the top, which are no Buffer', { card: new Uint8Array([4, 1]) }],
    ['undefined in a list', { card: [4111, undefined] }],
    // oxlint-disable-next-line no-sparse-arrays
    ['a hole in a list', [4111, , 4111]],
    ['a function in a list', [() => 4111]],
    ['a symbol below the top', { card: Symbol('4111') }],
    ['a NaN in a class instance', [new Money(Number.NaN)]],
  ])('refuses %s, which JSON would silently change', (_, payload) => {
    const error = thrownBy(() => codec.encode('orders', { name: 'a', payload }));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(error.message).toContain('has no JSON form');
    expect(error.message).not.toMatch(/4111|card/);
  });

  it.each<[string, unknown, unknown]>([
    ['a Date as its ISO text', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['a property that is undefined as none', { a: 1, b: undefined }, { a: 1 }],
    ['a method as none', { a: 1, b: () => 1 }, { a: 1 }],
    ['a class instance as its properties', new Money(7), { cents: 7 }],
    ['what has toJSON as it says', { url: new URL('http://a/b') }, { url: 'http://a/b' }],
    ['a Buffer below the top as Node does', [Buffer.from([7])], [{ type: 'Buffer', data: [7] }]],
    ['-0 as 0', [-0], [0]],
  ])('writes %s', (_, payload, arrives) => {
    expect(payloadThrough(payload)).toEqual(arrives);
  });

  it('refuses metadata that has no JSON form', () => {
    const encode = () => codec.encode('orders', { name: 'a', payload: 1, metadata: { n: 1n } });
    expect(encode).toThrow(MessageEncodingError);
    expect(encode).toThrow('metadata');
  });
});

describe('JsonCodec, both ways', () => {
  it.each([
    { n: 1, nested: { list: [1, 'two', null] } },
    'text',
    '',
    'größe 🚚 "quoted"\n',
    0,
    false,
    null,
    [],
    { __proto__: null, a: 1 },
  ])('returns %j', (payload) => {
    expect(payloadThrough(payload)).toEqual(payload);
  });

  it('returns any JSON, with any headers', () => {
    const headers = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), {
      minKeys: 1,
    });
    fc.assert(
      fc.property(fc.jsonValue(), headers, (payload, its) => {
        const back = roundTrip({ name: 'a', payload, headers: its });
        expect(back.payload).toEqual(JSON.parse(JSON.stringify(payload)));
        expect(Object.entries(back.headers ?? {})).toEqual(Object.entries({ ...its }));
      }),
    );
  });

  it('returns a header __proto__', () => {
    const headers = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    expect(Object.entries(roundTrip({ name: 'a', payload: 1, headers }).headers ?? {})).toEqual([
      ['__proto__', 'x'],
    ]);
  });

  it('returns bytes as a Buffer', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const payload of [all, Buffer.alloc(0)]) {
      const back = payloadThrough(payload);
      expect(Buffer.isBuffer(back)).toBe(true);
      expect(back).toEqual(payload);
    }
  });

  it('writes only the visible part of a Uint8Array that is a view', () => {
    const memory = new Uint8Array([1, 2, 3, 4, 5]);
    expect(payloadThrough(memory.subarray(1, 3))).toEqual(Buffer.from([2, 3]));
  });

  it('returns everything that travels with the payload', () => {
    const envelope: MessageEnvelope = {
      name: 'order.created',
      payload: { n: 1 },
      messageId: 'm-1',
      headers: { tenant: 'eu', größe: 'ä' },
      metadata: { trace: { id: 7 } },
      key: 'customer-1',
    };
    expect(roundTrip(envelope)).toEqual(envelope);
  });
});

describe('JsonCodec.decode', () => {
  it('needs only a name and a body, in any order, and ignores unknown fields', () => {
    const fields = raw(['body', '{"n":1}', 'source', 'dtpyfw', 'name', 'order.created']);
    expect(codec.decode(fields)).toEqual({
      name: 'order.created',
      payload: { n: 1 },
      messageId: undefined,
      headers: undefined,
      metadata: undefined,
      key: undefined,
    });
  });

  it('treats an empty message ID as none', () => {
    expect(codec.decode(raw(['name', 'a', 'body', '1', 'id', ''])).messageId).toBeUndefined();
  });

  it.each<[string, EntryFields, string]>([
    ['nothing in it', [], 'field "name" is missing'],
    ['no name', ['body', '1'], 'field "name" is missing'],
    ['no body', ['name', 'a'], 'field "body" is missing'],
    ['a body that is not JSON', ['name', 'a', 'body', '{secret'], 'field "body" is not JSON'],
    ['an empty body', ['name', 'a', 'body', ''], 'field "body" is not JSON'],
    ['headers that are not JSON', ['name', 'a', 'body', '1', 'headers', 'secret'], '"headers"'],
    ['headers that are a list', ['name', 'a', 'body', '1', 'headers', '["secret"]'], '"headers"'],
    ['a header that is no text', ['name', 'a', 'body', '1', 'headers', '{"n":1}'], '"headers"'],
    ['metadata that is text', ['name', 'a', 'body', '1', 'metadata', '"secret"'], '"metadata"'],
    ['metadata that is null', ['name', 'a', 'body', '1', 'metadata', 'null'], '"metadata"'],
    ['a body that is not UTF-8', ['name', 'a', 'body', Buffer.from([0x22, 0xff, 0x22])], 'UTF-8'],
    [
      'base64 that is none',
      ['name', 'a', 'body', '"secret!"', 'body-encoding', 'base64'],
      'base64',
    ],
    [
      'an encoding that is not known',
      ['name', 'a', 'body', '"secret"', 'body-encoding', 'gzip'],
      'encoding',
    ],
    ['base64 of no text', ['name', 'a', 'body', '{}', 'body-encoding', 'base64'], 'base64'],
  ])('refuses an entry with %s, and never quotes it', (_, fields, reason) => {
    const error = thrownBy(() => codec.decode(raw(fields)));
    expect(error).toBeInstanceOf(MessageDecodingError);
    expect(error.message).toContain(reason);
    expect(error.message).not.toContain('secret');
    expect(error.cause).toBeUndefined();
  });
});

function thrownBy(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}
