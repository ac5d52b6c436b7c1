import { describe, expect, it } from '@jest/globals';
import { encode } from '@msgpack/msgpack';
import * as fc from 'fast-check';
import {
  type EntryFields,
  InvalidOptionsError,
  MessageDecodingError,
  MessageEncodingError,
  type MessageEnvelope,
  WatermillCodec,
  type WatermillCodecOptions,
} from '../../../lib/index.js';

const UUID = '0190cafe-0000-7000-8000-00000000beef';
const codec = new WatermillCodec();
const raw = (fields: EntryFields): Buffer[] => fields.map((field) => Buffer.from(field));
const roundTrip = (envelope: MessageEnvelope, its = codec) =>
  its.decode(raw(its.encode('orders', envelope)));
const order = (more: Partial<MessageEnvelope> = {}): MessageEnvelope => ({
  name: 'order.created',
  payload: { n: 1 },
  messageId: UUID,
  ...more,
});

describe('WatermillCodec.encode', () => {
  it('writes the three fields that Watermill reads, byte for byte', () => {
    // A map of two: "tenant" → "eu", "name" → "a".
    const metadata = Buffer.from('82a674656e616e74a26575a46e616d65a161', 'hex');
    expect(codec.encode('orders', order({ name: 'a', headers: { tenant: 'eu' } }))).toEqual(
      [
        ['_watermill_message_uuid', UUID],
        ['payload', '{"n":1}'],
        ['metadata', metadata],
      ].flat(),
    );
  });

  it("writes natricine's key, and refuses the message IDs that natricine cannot read", () => {
    const its = new WatermillCodec({ uuidKey: '_natricine_message_uuid' });
    expect(its.encode('orders', order())).toEqual(
      expect.arrayContaining(['_natricine_message_uuid', UUID]),
    );
    expect(() => its.encode('orders', order({ messageId: 'order-7' }))).toThrow(
      MessageEncodingError,
    );
    expect(codec.encode('orders', order({ messageId: 'order-7' }))).toContain('order-7');
  });

  it.each(['name', '_nestjs_key', '_watermill_message_uuid', '__proto__'])(
    'refuses a header "%s", which would replace its own',
    (header) => {
      const headers = JSON.parse(`{"${header}":"x"}`) as Record<string, string>;
      expect(() => codec.encode('orders', order({ headers }))).toThrow(`header "${header}"`);
    },
  );

  it('refuses a payload that does not have the form it is set to', () => {
    const text = new WatermillCodec({ payload: 'text' });
    const bytes = new WatermillCodec({ payload: 'bytes' });
    expect(() => text.encode('orders', order())).toThrow(MessageEncodingError);
    expect(() => text.encode('orders', order({ payload: 'half \ud83d' }))).toThrow('UTF-8');
    expect(() => bytes.encode('orders', order({ payload: 'text' }))).toThrow('Buffer');
    expect(() => codec.encode('orders', order({ payload: undefined }))).toThrow('payload');
  });
});

describe('WatermillCodec, both ways', () => {
  it('returns everything that travels with the payload', () => {
    const envelope = order({ headers: { a: 'ä' }, metadata: { trace: { id: 7 } }, key: 'k' });
    expect(roundTrip(envelope)).toEqual(envelope);
  });

  it('returns any JSON with any headers', () => {
    const header = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__');
    const headers = fc.dictionary(
      header.map((name) => `x-${name}`),
      fc.string({ unit: 'grapheme' }),
      {
        minKeys: 1,
      },
    );
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), headers, (payload, some) => {
        const its = { ...some };
        const back = roundTrip(order({ payload, headers: its }));
        expect(back.payload).toEqual(JSON.parse(JSON.stringify(payload)));
        expect(back.headers).toEqual(its);
      }),
    );
  });

  it.each(['json', 'text', 'bytes'] as const)('returns bytes with payload: %s', (payload) => {
    const its = new WatermillCodec({ payload });
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const back = roundTrip(order({ payload: bytes }), its).payload;
        expect(Buffer.isBuffer(back)).toBe(true);
        expect(back).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('sends the bytes as they were at the call, and gives each reader a copy', () => {
    const memory = Buffer.from([1, 2, 3]);
    const fields = raw(codec.encode('orders', order({ payload: memory })));
    memory.fill(9);
    const payload = codec.decode(fields).payload as Buffer;
    expect(payload).toEqual(Buffer.from([1, 2, 3]));
    payload.fill(0);
    expect(codec.decode(fields).payload).toEqual(Buffer.from([1, 2, 3]));
  });

  it('returns text unchanged', () => {
    const its = new WatermillCodec({ payload: 'text' });
    for (const payload of ['', '{"n":1}', 'größe 🚚\n']) {
      expect(roundTrip(order({ payload }), its).payload).toBe(payload);
    }
  });
});

describe('WatermillCodec.decode', () => {
  it.each(['_watermill_message_uuid', '_natricine_message_uuid'])(
    'reads %s, whichever it writes',
    (key) => {
      expect(codec.decode(raw([key, UUID, 'payload', '1'])).messageId).toBe(UUID);
    },
  );

  it('reads an entry with empty metadata, an empty map, or no metadata', () => {
    const entry: EntryFields = ['_watermill_message_uuid', UUID, 'payload', '{"n":1}'];
    for (const more of [[], ['metadata', ''], ['metadata', Buffer.from([0x80])]]) {
      expect(codec.decode(raw([...entry, ...more]))).toEqual({
        messageId: UUID,
        payload: { n: 1 },
      });
    }
  });

  it('treats an empty message ID and an empty name as none', () => {
    const metadata = Buffer.from(encode({ name: '' }));
    const fields = raw(['_watermill_message_uuid', '', 'payload', '1', 'metadata', metadata]);
    expect(codec.decode(fields)).toMatchObject({ messageId: undefined, name: undefined });
  });

  const packed = (value: unknown): EntryFields => [
    'payload',
    '1',
    'metadata',
    Buffer.from(encode(value)),
  ];
  it.each<[string, EntryFields]>([
    ['nothing in it', []],
    ['no payload', ['_watermill_message_uuid', UUID]],
    ['a payload that is not JSON', ['payload', '{secret']],
    ['a payload that is not UTF-8', ['payload', Buffer.from([0x22, 0xff, 0x22])]],
    ['metadata that is JSON', ['payload', '1', 'metadata', '{"secret":"x"}']],
    ['metadata that is text', packed('secret')],
    ['metadata that is a list', packed(['secret'])],
    ['metadata that is not UTF-8', ['payload', '1', 'metadata', Buffer.from('81a178a1ff', 'hex')]],
    [
      'a metadata key that is not UTF-8',
      ['payload', '1', 'metadata', Buffer.from('81a1ffa178', 'hex')],
    ],
    ['metadata with bytes', packed({ secret: new Uint8Array([0xff]) })],
    ['metadata with a map in it', packed({ secret: { deep: 'x' } })],
    ['metadata that ends early', ['payload', '1', 'metadata', Buffer.from([0x82, 0xa1])]],
    ['metadata that wants 4 GB', ['payload', '1', 'metadata', Buffer.from('ddffffffff', 'hex')]],
    ['metadata with a key __proto__', packed(JSON.parse('{"__proto__":"secret"}'))],
    ['a payload in an unknown form', packed({ _nestjs_payload: 'secret' })],
    ["Nest's metadata as text", packed({ _nestjs_metadata: '"secret"' })],
  ])('refuses an entry with %s, and never quotes it', (_, fields) => {
    const decode = () => codec.decode(raw(fields));
    expect(decode).toThrow(MessageDecodingError);
    expect(decode).not.toThrow('secret');
  });

  it("reads natricine's numbers, booleans and None as its own subscriber does", () => {
    const metadata = {
      retries: 3,
      ratio: 0.5,
      large: 2n ** 63n - 1n,
      urgent: true,
      paid: false,
      by: null,
      odd: 'a \uFFFD b',
    };
    const fields = [
      'payload',
      '1',
      'metadata',
      Buffer.from(encode(metadata, { useBigInt64: true })),
    ];
    expect(codec.decode(raw(fields)).headers).toEqual({
      retries: '3',
      ratio: '0.5',
      large: '9223372036854775807',
      urgent: 'True',
      paid: 'False',
      by: 'None',
      odd: 'a \uFFFD b',
    });
  });

  it('says that a metadata key __proto__ is not allowed', () => {
    const fields = packed(JSON.parse('{"__proto__":"x"}'));
    expect(() => codec.decode(raw(fields))).toThrow('the key "__proto__", which is not allowed');
  });

  it('decodes any bytes, or throws MessageDecodingError', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (payload, metadata) => {
        const fields = ['payload', payload, 'metadata', metadata].map((field) =>
          Buffer.from(field),
        );
        expect(failureOf(() => codec.decode(fields))).not.toBe('another error');
      }),
    );
  });
});

describe('WatermillCodec options', () => {
  it.each([
    [{ payload: 'xml' }, 'WatermillCodec.payload'],
    [{ uuidKey: '' }, 'WatermillCodec.uuidKey'],
    [{ field: 'x' }, 'WatermillCodec.field'],
    ['x', 'WatermillCodec'],
    [null, 'WatermillCodec'],
  ])('refuses %j', (options, path) => {
    const make = () => new WatermillCodec(options as unknown as WatermillCodecOptions);
    expect(make).toThrow(InvalidOptionsError);
    expect(make).toThrow(`"${path}"`);
  });
});

function failureOf(decode: () => unknown): 'none' | 'refused' | 'another error' {
  try {
    decode();
    return 'none';
  } catch (error) {
    return error instanceof MessageDecodingError ? 'refused' : 'another error';
  }
}
