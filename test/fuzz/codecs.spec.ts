/**
 * Any bytes in the fields of an entry, for every codec: it becomes a message, or an error with a reason. See CONTRIBUTING.md for
 * the long form.
 */
import { isDeepStrictEqual } from 'node:util';

import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { MessageDecodingError, MessageEncodingError } from '../../lib/index.js';
import { toDeadLetter } from '../../lib/dead-letters/dead-letter.js';
import { decodeEnvelope, encodeFields, type MessageEnvelope } from '../../lib/wire/codec.js';
import { messageIdField, messageIdOf } from '../../lib/wire/ids.js';
import { losslessJson } from '../../lib/wire/lossless-json.js';
import { readReply, requestIdOf, splitRequest } from '../../lib/wire/request-reply-fields.js';
import { isOwnKey, streamBehind, streamKeys } from '../../lib/wire/stream-keys.js';
import { requireKeysOfItsOwn, wildcardMatcher } from '../../lib/wire/stream-names.js';
import { anyFields, anyFieldsFor, jsonText, LONG_NAMES, longValue } from './any-fields.js';
import { FUZZED_CODECS } from './fuzzed-codecs.js';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzz-runs.js';

const STREAM = 'orders';
/** Far more than reading 100 kB takes, and far less than anything quadratic. */
const LONGEST_MS = 2_000;

/** What a call returns or throws; it must be an error of this class, and a text. */
function triedTo<Result>(
  call: () => Result,
  failure: abstract new (...args: never[]) => Error,
): Result | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof failure && error.message !== '') return undefined;
    throw error;
  }
}

/** JSON writes `-0` as `0`, and a message with empty headers has none. */
const comparable = ({ headers = {}, ...rest }: MessageEnvelope): unknown =>
  withoutMinusZero({ ...rest, headers });

function withoutMinusZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutMinusZero);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withoutMinusZero(each)]),
  );
}

const envelopeOf = (bytes: Buffer[], codec: (typeof FUZZED_CODECS)[number]['codec']) => {
  const fields = triedTo(() => splitRequest(bytes)?.own ?? bytes, MessageDecodingError);
  if (fields === undefined) return undefined;
  return triedTo(() => decodeEnvelope(codec, STREAM, fields), MessageDecodingError);
};

/** How long this process computes; not how long a busy machine lets it wait. */
const timed = (work: () => unknown): number => {
  const since = process.cpuUsage();
  work();
  return process.cpuUsage(since).user / 1_000;
};

describe.each(FUZZED_CODECS)('any fields, $title', ({ codec, needed }) => {
  it(
    'are a message or a reason, and what was read is written as the same',
    async () => {
      let read = 0;
      const anyEntry = fc.oneof(anyFields, { weight: 3, arbitrary: anyFieldsFor(needed) });
      await fuzz(
        fc.property(anyEntry, (bytes) => {
          const envelope = envelopeOf(bytes, codec);
          if (envelope === undefined) return;
          read += 1;
          const written = triedTo(
            () => encodeFields(codec, STREAM, envelope),
            MessageEncodingError,
          );
          // A number beyond all others, a reserved header, an ID that is no UUID: not ours to send.
          if (written === undefined) return;
          const again: MessageEnvelope = decodeEnvelope(
            codec,
            STREAM,
            written.map((field) => Buffer.from(field as string)),
          );
          const [was, is] = [envelope, again].map(comparable);
          if (!isDeepStrictEqual(was, is))
            throw new Error('read, written and read again, it differs');
        }),
        { short: 1_500 },
      );
      expect(read).toBeGreaterThan(100);
    },
    FUZZ_TIMEOUT_MS,
  );

  it(
    'take no longer than their length',
    async () => {
      await fuzz(
        fc.property(
          fc.constantFrom(...needed, ...LONG_NAMES),
          longValue,
          anyFieldsFor(needed),
          (name, value, more) => {
            const fields = [...more, Buffer.from(name), value];
            expect(timed(() => envelopeOf(fields, codec))).toBeLessThan(LONGEST_MS);
          },
        ),
        { short: 40 },
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe('any fields', () => {
  it(
    'can be shown as a dead letter, and are no reply that throws',
    async () => {
      await fuzz(
        fc.property(anyFields, fc.constantFrom(...FUZZED_CODECS), (fields, { codec }) => {
          const place = { partition: undefined, keys: streamKeys('', STREAM, 'billing') };
          const whose = { stream: STREAM, group: 'billing' };
          const letter = toDeadLetter({ place, entry: { id: '1-1', fields } }, codec, whose);
          expect(typeof letter.messageId).toBe('string');
          readReply(fields);
          requestIdOf(fields);
        }),
        { short: 500 },
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

/** What `JSON.parse` would have made of it. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, rounded(each)]));
}

describe('any text as JSON', () => {
  it(
    'is read by losslessJson as by JSON, but for integers beyond 2⁵³',
    async () => {
      const parsed = (format: Pick<JSON, 'parse'>, text: string): unknown =>
        triedTo(() => ({ value: format.parse(text) as unknown }), Error);
      await fuzz(
        fc.property(jsonText, (text) => {
          const [ours, usual] = [parsed(losslessJson as JSON, text), parsed(JSON, text)];
          expect(isDeepStrictEqual(rounded(ours), usual)).toBe(true);
        }),
        { short: 2_000 },
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe('any bytes as a message ID', () => {
  it(
    'are one text, and the text is these bytes',
    async () => {
      const anyId = fc.oneof(
        fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
        fc.string({ unit: 'binary' }).map((text) => Buffer.from(`base64:${text}`)),
        fc.base64String().map((text) => Buffer.from(`base64:${text}`)),
      );
      await fuzz(
        fc.property(anyId, (bytes) => {
          expect(Buffer.from(messageIdField(messageIdOf(bytes)) as string).equals(bytes)).toBe(
            true,
          );
        }),
        { short: 2_000 },
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe('any text as the name of a key', () => {
  const anyKey = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('{', '}', ':', 'stream:', 'group:', 'a', '0', '*', 'jobs:'), {
        maxLength: 12,
      })
      .map((parts) => parts.join('')),
    longValue.map(String),
  );
  it(
    'takes no longer than its length, and is a name or an error with a reason',
    async () => {
      await fuzz(
        fc.property(anyKey, (key) => {
          const took = timed(() => {
            isOwnKey(key);
            streamBehind(key, '', 'billing');
            triedTo(() => requireKeysOfItsOwn('', key, new Map()), Error);
            triedTo(() => streamKeys('', key, 'billing'), Error);
            wildcardMatcher(`*${key.slice(0, 100)}*a*b*`)(key);
          });
          expect(took).toBeLessThan(LONGEST_MS);
        }),
        { short: 300 },
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});
