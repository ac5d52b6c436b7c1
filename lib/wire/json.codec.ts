import { shareClasses } from '../errors/copies.js';
import { MessageDecodingError } from '../errors/message.errors.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import {
  type Codec,
  encodingUnknown,
  type EntryFields,
  fieldMissing,
  type MessageEnvelope,
  notBase64Text,
  type RawFields,
} from './codec.js';
import { messageIdField, messageIdOf } from './ids.js';
import {
  checkCodecOptions,
  fromJson,
  fromUtf8,
  type JsonFormat,
  objectOf,
  stringMap,
  toJson,
} from './payload-form.js';

const BODY_ENCODING = 'body-encoding';

/** Options of {@link JsonCodec}. */
export interface JsonCodecOptions {
  /**
   * Reads and writes payloads. Set `losslessJson` of `nestjs-redis-streams/lossless-json` to keep integers beyond 2⁵³, which
   * Python and Go send: `JSON` rounds them without a word.
   *
   * @default JSON
   */
  json?: JsonFormat;
}

/**
 * The default codec. It writes the fields `name` (text) and `body` (JSON) and, if the message has them, `id`, `headers`,
 * `metadata` and `key`. To read an entry, `name` and `body` are enough. Bytes (`Buffer`, `Uint8Array`) are written as base64 in
 * a JSON string, with the field `body-encoding`. A payload that JSON would silently change (`NaN`, a `Map`) is refused.
 *
 * @example
 * ```ts
 * // This is the default.
 * RedisStreamsModule.forRoot({ group: 'billing', codec: new JsonCodec() });
 * ```
 */
export class JsonCodec implements Codec {
  readonly carriesKey: boolean = true;
  private readonly json: JsonFormat;

  /** @throws InvalidOptionsError */
  constructor(options: JsonCodecOptions = {}) {
    checkCodecOptions('JsonCodec', options, ['json']);
    const { json = JSON } = options;
    checkJsonFormat(json);
    this.json = json;
  }

  encode(stream: string, envelope: MessageEnvelope): EntryFields {
    const { payload, messageId, headers, metadata, key } = envelope;
    const bytes = payload instanceof Uint8Array;
    const fields: EntryFields = [
      'name',
      envelope.name,
      'body',
      toJson(stream, 'payload', bytes ? base64(payload) : payload, this.json),
    ];
    if (messageId !== undefined) fields.push('id', messageIdField(messageId));
    if (bytes) fields.push(BODY_ENCODING, 'base64');
    if (headers !== undefined && Object.keys(headers).length > 0) {
      fields.push('headers', toJson(stream, 'headers', headers));
    }
    if (metadata !== undefined) fields.push('metadata', toJson(stream, 'metadata', metadata));
    if (key !== undefined) fields.push('key', key);
    return fields;
  }

  decode(fields: RawFields): MessageEnvelope {
    let name, messageId, headers, metadata, key, encoding: string | undefined;
    let body: Buffer | undefined;
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const field = fieldName(fields[at]);
      const bytes = fields[at + 1];
      if (field === 'body') body = bytes;
      else if (field === undefined || bytes === undefined) continue;
      else if (field === 'name') name = fromUtf8(field, bytes);
      else if (field === 'id') messageId = messageIdOf(bytes);
      else if (field === 'headers') headers = fromUtf8(field, bytes);
      else if (field === 'metadata') metadata = fromUtf8(field, bytes);
      else if (field === 'key') key = fromUtf8(field, bytes);
      else if (field === BODY_ENCODING) encoding = bytes.toString();
    }
    if (name === undefined) throw new MessageDecodingError(fieldMissing('name'));
    if (body === undefined) throw new MessageDecodingError(fieldMissing('body'));
    if (encoding !== undefined && encoding !== 'base64') {
      throw new MessageDecodingError(encodingUnknown(BODY_ENCODING));
    }
    const payload = fromJson('body', fromUtf8('body', body), this.json);
    return {
      name,
      payload: encoding === undefined ? payload : bytesOf(payload),
      messageId: messageId === '' ? undefined : messageId,
      headers:
        headers === undefined ? undefined : stringMap('headers', fromJson('headers', headers)),
      metadata:
        metadata === undefined ? undefined : objectOf('metadata', fromJson('metadata', metadata)),
      key,
    };
  }
}

function checkJsonFormat(json: unknown): void {
  const { parse, stringify } = Object(json);
  if (typeof parse === 'function' && typeof stringify === 'function') return;
  throw new InvalidOptionsError(
    'JsonCodec.json',
    json === null ? 'null' : `a ${typeof json}`,
    'an object with the methods parse and stringify, such as losslessJson',
  );
}

/** The usual field names, by length. Comparing bytes is cheaper than making strings of them. */
const USUAL: readonly (readonly { readonly name: string; readonly bytes: Buffer }[])[] = [
  [],
  [],
  [usual('id')],
  [],
  [usual('body'), usual('name')],
];

function usual(name: string): { readonly name: string; readonly bytes: Buffer } {
  return { name, bytes: Buffer.from(name) };
}

function fieldName(field: Buffer | undefined): string | undefined {
  if (field === undefined) return undefined;
  for (const { name, bytes } of USUAL[field.length] ?? []) if (areEqual(field, bytes)) return name;
  return field.toString();
}

// For so few bytes, a loop is faster than a call.
function areEqual(a: Buffer, b: Buffer): boolean {
  for (let at = 0; at < b.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

// Node decodes invalid base64 to something, without an error. One expression for all of it would overflow its stack.
function isBase64(text: string): boolean {
  const padding = /={0,2}$/.exec(text.slice(-2))?.[0].length ?? 0;
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.slice(0, text.length - padding));
}

function bytesOf(payload: unknown): Buffer {
  if (typeof payload !== 'string' || !isBase64(payload)) {
    throw new MessageDecodingError(notBase64Text());
  }
  return Buffer.from(payload, 'base64');
}

shareClasses({ JsonCodec });
