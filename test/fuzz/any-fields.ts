import { encode } from '@msgpack/msgpack';
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';

/** These words, which have no spaces. */
const words = (text: string): string[] => text.split(' ');

/** Names that some codec gives a meaning. */
const NAMES = words(
  'name body id headers metadata key body-encoding payload it _watermill_message_uuid _natricine_message_uuid ' +
    'request-id reply-to reply dead-letter-reason dead-letter-entry-id dead-letter-delivery dead-letter-failed-at',
);
const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const ofText = (text: string): Buffer => Buffer.from(text);

const anyBytes = fc.uint8Array({ maxLength: 40 }).map(buffer);

const NUMBERS = words(
  '0 -0 1e400 -1e400 1E-400 9007199254740993 -9007199254740993 01 1. .5 - +1 0x10 NaN Infinity 1e 1.0',
);
const anyNumber = fc.constantFrom(...NUMBERS, '9'.repeat(400));

const ODD_JSON = words(
  '{"a":1,"a":2} {"__proto__":{"a":1}} {"__proto__":"a"} "\\ud800" "\\udc00\\ud800" {"toJSON":1} {"constructor":"a"} [1,] ' +
    '{"a":undefined} {"a":"1","A":"2"} {"":""} [[]] null true "base64" "YQ==" "YQ" \uFEFF{} "\u2028"',
);
/** Text that is JSON, or almost. */
const anyJson = fc.oneof(
  fc.json({ maxDepth: 4 }),
  anyNumber,
  anyNumber.map((number) => `{"a":${number},"b":[${number}]}`),
  fc.constantFrom(...ODD_JSON, '', ' null '),
);
const scalar: Arbitrary<unknown> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 5 }),
);
const metadataName = fc.oneof(
  fc.constantFrom('name', '_nestjs_key', '_nestjs_metadata', '_nestjs_payload', 'a', ''),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constant('_watermill_message_uuid'),
);
const anyMessagePack = fc.oneof(
  fc.dictionary(metadataName, fc.oneof(scalar, fc.constant('bytes'), anyJson)).map(packed),
  fc.anything({ maxDepth: 2 }).map((value) => {
    try {
      return packed(value);
    } catch {
      return ofText('');
    }
  }),
  // Short forms of maps, lists, extensions and 64 bits, with lengths that the field does not have.
  fc
    .tuple(
      fc.constantFrom(0x80, 0x81, 0x8f, 0xc1, 0xc7, 0xc9, 0xcf, 0xd3, 0xd6, 0xdb, 0xdd, 0xdf),
      anyBytes,
    )
    .map(([first, rest]) => Buffer.concat([Buffer.of(first), rest])),
);

function packed(value: unknown): Buffer {
  return buffer(encode(value));
}

/** What is almost valid: with a byte more, less or changed. */
const spoilt = (valid: Arbitrary<Buffer>): Arbitrary<Buffer> =>
  fc.tuple(valid, fc.nat(), fc.nat(255), fc.constantFrom(0, 1, 2)).map(([bytes, at, byte, cut]) => {
    const from = bytes.length === 0 ? 0 : at % bytes.length;
    const put = cut === 2 ? [] : [byte];
    return Buffer.concat([
      bytes.subarray(0, from),
      Buffer.from(put),
      bytes.subarray(from + (cut === 0 ? 0 : 1)),
    ]);
  });

/** JSON, or almost. */
export const jsonText: Arbitrary<string> = fc.oneof(
  anyJson,
  spoilt(anyJson.map(ofText)).map(String),
);

const valid = fc.oneof(
  anyJson.map(ofText),
  anyMessagePack,
  fc.string().map(ofText),
  fc.uuid().map(ofText),
  fc.constantFrom('base64', 'base64:', 'base64:/w==', 'bytes', '1-1', '0').map(ofText),
);
const anyValue = fc.oneof({ weight: 4, arbitrary: valid }, spoilt(valid), anyBytes);
const anyName = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...NAMES).map(ofText) },
  fc.uint8Array({ maxLength: 6 }).map(buffer),
);

/** The fields of an entry that anybody could write: at least one. */
export const anyFields: Arbitrary<Buffer[]> = fc
  .array(fc.tuple(anyName, anyValue), { minLength: 1, maxLength: 9 })
  .map((pairs) => pairs.flat());

const text = fc.string({ unit: 'binary' }).map(ofText);
const json = fc.oneof(anyJson, fc.json()).map(ofText);
/** What each field usually holds. */
const FITTING: Record<string, Arbitrary<Buffer>> = {
  name: text,
  key: text,
  body: json,
  payload: json,
  it: json,
  id: fc.oneof(text, anyBytes),
  headers: fc.dictionary(fc.string(), fc.string()).map((map) => ofText(JSON.stringify(map))),
  metadata: fc.oneof(
    fc.dictionary(metadataName, scalar).map(packed),
    fc.dictionary(fc.string(), fc.jsonValue()).map((map) => ofText(JSON.stringify(map))),
  ),
  _natricine_message_uuid: fc.uuid().map(ofText),
};

const usually = (name: string): Arbitrary<[Buffer, Buffer]> =>
  fc
    .oneof({ weight: 9, arbitrary: FITTING[name] ?? anyValue }, anyValue)
    .map((value) => [ofText(name), value]);

/** As above, but with the fields that a codec needs, so that more of it is read. */
export const anyFieldsFor = (needed: readonly string[]): Arbitrary<Buffer[]> =>
  fc
    .tuple(
      fc.array(fc.constantFrom(...Object.keys(FITTING)).chain(usually), { maxLength: 2 }),
      fc.tuple(...needed.map(usually)),
    )
    .map(([more, fields]) => [...more, ...fields].flat());

/** Pieces that, repeated, could cost more than their length. */
const PIECES = words(
  '[ {"a": [] [0, "\\u0041 9 -9 {"a":1, \\ " 0, \uFFFD \u{1F600} A = base64: \u0081\u00a1a { } : 1e9 :group: {a} }{',
);
const heads = ['', '"', '[', '{', '{"a":"', '\u0081'];

/** Values of many thousand bytes, made of the same few. */
export const longValue: Arbitrary<Buffer> = fc
  .tuple(
    fc.constantFrom(...heads),
    fc.constantFrom(...PIECES),
    fc.constantFrom(...heads, ']', '}', '"]'),
    fc.boolean(),
  )
  .map(([head, piece, tail, isLatin]) =>
    Buffer.from(
      head + piece.repeat(Math.ceil(100_000 / piece.length)) + tail,
      isLatin ? 'latin1' : 'utf8',
    ),
  );
export const LONG_NAMES: readonly string[] = NAMES;
