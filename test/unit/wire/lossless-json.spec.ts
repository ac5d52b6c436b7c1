import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import {
  InvalidOptionsError,
  JsonCodec,
  MessageDecodingError,
  MessageEncodingError,
} from '../../../lib/index.js';
import { losslessJson } from '../../../lib/wire/lossless-json.js';

const exact = new JsonCodec({ json: losslessJson });
const read = (codec: JsonCodec, body: string): unknown =>
  codec.decode(['name', 'a', 'body', body].map((text) => Buffer.from(text))).payload;
const written = (codec: JsonCodec, payload: unknown): unknown =>
  codec.encode('orders', { name: 'a', payload })[3];

/** Without integers beyond 2⁵³, which are read as bigint. */
const inSafeIntegers = fc.jsonValue().filter((value) => !/\d{16}/.test(JSON.stringify(value)));

describe('JsonCodec', () => {
  it('rounds integers beyond 2⁵³ by default, as JSON.parse does, and refuses a bigint', () => {
    expect(read(new JsonCodec(), '9007199254740993')).toBe(9_007_199_254_740_992);
    expect(() => written(new JsonCodec(), { id: 1n })).toThrow(MessageEncodingError);
  });

  it('takes the last value of a name that occurs twice, with losslessJson too', () => {
    for (const codec of [new JsonCodec(), exact]) {
      expect(read(codec, '{"a":1,"b":[{"c":1,"c":{}}],"a":2}')).toEqual({ a: 2, b: [{ c: {} }] });
    }
  });

  it('keeps them exact with losslessJson, as bigint, both ways', () => {
    const body =
      '{"id":9007199254740993,"least":-9223372036854775808,"n":7,"ratio":1.5,"big":1e21}';
    const payload = {
      id: 9_007_199_254_740_993n,
      least: -9_223_372_036_854_775_808n,
      n: 7,
      ratio: 1.5,
      big: 1e21,
    };
    expect(read(exact, body)).toEqual(payload);
    expect(read(exact, String(written(exact, payload)))).toEqual(payload);
  });

  it('reads and writes everything else as JSON does', () => {
    fc.assert(
      fc.property(inSafeIntegers, (value) => {
        expect(read(exact, JSON.stringify(value))).toEqual(
          read(new JsonCodec(), JSON.stringify(value)),
        );
        expect(read(exact, String(written(exact, value)))).toEqual(
          read(new JsonCodec(), String(written(new JsonCodec(), value))),
        );
      }),
    );
    expect(Object.keys(Object(read(exact, '{"__proto__":{"x":1}}')))).toEqual(['__proto__']);
    expect(Object({}).x).toBeUndefined();
  });

  it.each(['{', '[1', '01', '"\n"', '['.repeat(100_000)])(
    'refuses what is no JSON, and quotes none of it',
    (body) => {
      expect(() => read(exact, body)).toThrow(MessageDecodingError);
      expect(() => read(exact, body)).toThrow('field "body" is not JSON');
    },
  );

  it.each([null, 1, {}, { parse: JSON.parse }])('refuses json: %j', (json) => {
    expect(() => new JsonCodec({ json: json as never })).toThrow(InvalidOptionsError);
  });
});
