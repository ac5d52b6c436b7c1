import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  type EntryFields,
  FieldCodec,
  type FieldCodecOptions,
  InvalidOptionsError,
  MessageDecodingError,
  MessageEncodingError,
  type MessageEnvelope,
} from '../../../lib/index.js';

const codec = new FieldCodec({ field: 'data' });
const text = new FieldCodec({ field: 'data', payload: 'text' });
const bytes = new FieldCodec({ field: 'data', payload: 'bytes' });
const raw = (fields: EntryFields): Buffer[] => fields.map((field) => Buffer.from(field));
const message = (payload: unknown, more: Partial<MessageEnvelope> = {}): MessageEnvelope => ({
  name: 'sensors',
  payload,
  messageId: 'm-1',
  ...more,
});
const through = (its: FieldCodec, payload: unknown) =>
  its.decode(raw(its.encode('sensors', message(payload)))).payload;

describe('FieldCodec', () => {
  it('writes one field and nothing else', () => {
    expect(codec.encode('sensors', message({ n: 1 }))).toEqual(['data', '{"n":1}']);
    expect(raw(text.encode('sensors', message('Hello, Redis!')))).toEqual(
      raw(['data', 'Hello, Redis!']),
    );
  });

  it('does not store the message ID or metadata', () => {
    const fields = codec.encode('sensors', message(1, { metadata: { trace: 7 }, headers: {} }));
    expect(codec.decode(raw(fields))).toEqual({ payload: 1 });
  });

  it.each<[string, Partial<MessageEnvelope>]>([
    ['headers', { headers: { tenant: 'eu' } }],
    ['name', { name: 'sensor.read' }],
    ['ordering key', { key: 'k' }],
  ])('refuses %s, which would be lost', (what, more) => {
    const encode = () => codec.encode('sensors', message(1, more));
    expect(encode).toThrow(MessageEncodingError);
    expect(encode).toThrow(`its ${what} would be lost`);
  });

  it('returns any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(through(codec, value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('returns any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(through(text, value)).toBe(value);
      }),
    );
  });

  it('returns any bytes as a Buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        expect(through(bytes, value)).toEqual(Buffer.from(value));
      }),
    );
  });

  it('refuses bytes if it is set to another form, since no reader could tell', () => {
    for (const its of [codec, text]) {
      const encode = () => its.encode('sensors', message(Buffer.from([1])));
      expect(encode).toThrow(MessageEncodingError);
      expect(encode).toThrow('payload: "bytes"');
    }
  });

  it('refuses a payload that does not have the form it is set to', () => {
    expect(() => text.encode('sensors', message({ n: 1 }))).toThrow(MessageEncodingError);
    expect(() => text.encode('sensors', message('\udc00'))).toThrow(MessageEncodingError);
    expect(() => bytes.encode('sensors', message('text'))).toThrow(MessageEncodingError);
  });

  it('finds its field among others', () => {
    expect(codec.decode(raw(['at', '17', 'data', '1', 'more', 'x'])).payload).toBe(1);
  });

  it('refuses an entry without its field, or with another form in it', () => {
    expect(() => codec.decode(raw(['message', '1']))).toThrow(MessageDecodingError);
    expect(() => codec.decode(raw(['data', 'Hello']))).toThrow('field "data" is not JSON');
    const latin1 = [Buffer.from('data'), Buffer.from('größe', 'latin1')];
    expect(() => text.decode(latin1)).toThrow('field "data" is not UTF-8');
    expect(bytes.decode(latin1).payload).toEqual(Buffer.from('größe', 'latin1'));
  });

  it.each([
    [{}, 'FieldCodec.field'],
    [{ field: '' }, 'FieldCodec.field'],
    [{ field: 7 }, 'FieldCodec.field'],
    [{ field: 'data', payload: 'JSON' }, 'FieldCodec.payload'],
    [{ field: 'data', uuidKey: 'x' }, 'FieldCodec.uuidKey'],
    [undefined, 'FieldCodec'],
  ])('refuses the options %j', (options, path) => {
    const make = () => new FieldCodec(options as unknown as FieldCodecOptions);
    expect(make).toThrow(InvalidOptionsError);
    expect(make).toThrow(`"${path}"`);
  });
});
