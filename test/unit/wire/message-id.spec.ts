import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { type Codec, JsonCodec, MessageDecodingError, WatermillCodec } from '../../../lib/index.js';
import { messageIdField, messageIdOf } from '../../../lib/wire/ids.js';

const bytesOf = (field: string | Buffer): Buffer => Buffer.from(field);

/** Bytes as producers write them: text, text that looks like our own form, and anything. */
const anyBytes = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
  fc.base64String().map((text) => Buffer.from(`base64:${text}`)),
  fc.string().map((text) => Buffer.from(`base64:${text}`)),
  fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes)),
);

describe('the text of a message ID', () => {
  it.each<[string, Buffer, string]>([
    ['text', Buffer.from('order-7'), 'order-7'],
    ['any characters', Buffer.from('zażółć 🎉'), 'zażółć 🎉'],
    ['a character that also stands for what is no text', Buffer.from('\uFFFD'), '\uFFFD'],
    ['bytes that are not UTF-8', Buffer.from([0xff]), 'base64:/w=='],
    ['text that begins like such bytes', Buffer.from('base64:/w=='), 'base64:YmFzZTY0Oi93PT0='],
  ])('of %s', (_, bytes, text) => {
    expect(messageIdOf(bytes)).toBe(text);
    expect(bytesOf(messageIdField(text))).toEqual(bytes);
  });

  it('is another one for other bytes, and is written as the same bytes', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (one, other) => {
        expect(messageIdOf(one) === messageIdOf(other)).toBe(one.equals(other));
        expect(bytesOf(messageIdField(messageIdOf(one)))).toEqual(one);
      }),
    );
  });

  it('that a caller made up is written as it is', () => {
    for (const id of ['base64:', 'base64:no base64', 'base64:aGVsbG8=']) {
      expect(messageIdField(id)).toBe(id);
    }
  });
});

const codecs: [string, Codec, (id: Buffer) => Buffer[]][] = [
  [
    'JsonCodec',
    new JsonCodec(),
    (id) => [...['name', 'a', 'body', '1', 'id'].map((text) => Buffer.from(text)), id],
  ],
  [
    'WatermillCodec',
    new WatermillCodec(),
    (id) => [...['payload', '1', '_watermill_message_uuid'].map((text) => Buffer.from(text)), id],
  ],
];

describe.each(codecs)('%s', (_, codec, fields) => {
  it('gives different IDs to messages whose IDs differ in their bytes, and writes the same bytes', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (one, other) => {
        const [first, second] = [one, other].map((id) => codec.decode(fields(id)).messageId);
        expect(first === second).toBe(one.equals(other));
        if (first === undefined) return;
        const written = codec.encode('orders', { name: 'a', payload: 1, messageId: first });
        expect(written.map((field) => Buffer.from(field))).toContainEqual(one);
      }),
    );
  });
});

describe('JsonCodec', () => {
  const codec = new JsonCodec();
  const all = { name: 'a', body: '1', headers: '{}', metadata: '{}', key: 'k' };

  it.each(['name', 'body', 'headers', 'metadata', 'key'])(
    'refuses a field "%s" that is not UTF-8, and names it',
    (field) => {
      const wrong = Object.entries(all).flatMap(([name, value]) => [
        Buffer.from(name),
        name === field ? Buffer.from([0x22, 0xff, 0x22]) : Buffer.from(value),
      ]);
      expect(() => codec.decode(wrong)).toThrow(MessageDecodingError);
      expect(() => codec.decode(wrong)).toThrow(`field "${field}" is not UTF-8`);
    },
  );

  it('decodes any bytes in any field, or throws MessageDecodingError', () => {
    const value = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.json().map((json) => Buffer.from(json)),
    );
    fc.assert(
      fc.property(
        fc.record(
          {
            name: value,
            body: value,
            id: value,
            headers: value,
            metadata: value,
            key: value,
            'body-encoding': value,
          },
          { requiredKeys: [] },
        ),
        (some) => {
          const fields = Object.entries(some).flatMap(([name, bytes]) => [
            Buffer.from(name),
            bytes ?? Buffer.of(),
          ]);
          let failure: unknown;
          try {
            codec.decode(fields);
          } catch (error) {
            failure = error;
          }
          expect(failure === undefined || failure instanceof MessageDecodingError).toBe(true);
        },
      ),
    );
  });

  it.each([0, 1, 2, 3, 4 * 1024 * 1024, 12 * 1024 * 1024 + 1])(
    'reads the %i bytes that it writes',
    (size) => {
      const payload = Buffer.alloc(size, 7);
      const written = codec
        .encode('orders', { name: 'a', payload })
        .map((field) => Buffer.from(field));
      const read = codec.decode(written).payload;
      expect(Buffer.isBuffer(read) && read.equals(payload)).toBe(true);
    },
  );
});
