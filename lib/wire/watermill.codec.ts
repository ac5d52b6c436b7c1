import { shareClasses } from '../errors/copies.js';
import { decode, type DecoderOptions, encode } from '@msgpack/msgpack';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.js';
import type { Codec, DecodedEnvelope, EntryFields, MessageEnvelope, RawFields } from './codec.js';
import { messageIdField, messageIdOf } from './ids.js';
import {
  checkCodecOptions,
  checkFieldName,
  decodePayload,
  encodePayload,
  fromJson,
  fromUtf8,
  objectOf,
  ownBytes,
  type PayloadForm,
  toJson,
} from './payload-form.js';

const WATERMILL = '_watermill_message_uuid';
const NATRICINE = '_natricine_message_uuid';
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** Options of {@link WatermillCodec}. */
export interface WatermillCodecOptions {
  /**
   * The field for the message ID. Set `'_natricine_message_uuid'` if natricine reads the stream; it accepts only UUIDs. Reading
   * understands both names.
   *
   * @default '_watermill_message_uuid'
   */
  uuidKey?: '_watermill_message_uuid' | '_natricine_message_uuid' | (string & {});
  /**
   * The form of the payload. For Watermill and natricine it is bytes, so set it to what their handlers expect. `'text'` accepts
   * strings and bytes, `'bytes'` only bytes.
   *
   * @default 'json'
   */
  payload?: PayloadForm;
}

/**
 * The entries of Watermill's Redis Streams and of natricine: a field for the message ID, `payload`, and `metadata` in
 * MessagePack. The metadata holds the name, as `name`, and the headers. Only services of this package use the rest of it: the
 * ordering key (`_nestjs_key`), what Nest's dispatch hook attached (`_nestjs_metadata`, JSON), and `_nestjs_payload` if the
 * payload is bytes although the codec is set to another form.
 *
 * @example
 * ```ts
 * RedisStreamsModule.forRoot({
 *   group: 'billing',
 *   streams: { orders: { codec: new WatermillCodec() } },
 * });
 * ```
 */
export class WatermillCodec implements Codec {
  readonly carriesKey: boolean = true;
  private readonly uuidKey: string;
  private readonly form: PayloadForm;

  /** @throws InvalidOptionsError */
  constructor(options: WatermillCodecOptions = {}) {
    checkCodecOptions('WatermillCodec', options, ['uuidKey', 'payload']);
    const { uuidKey = WATERMILL, payload = 'json' } = options;
    checkFieldName('WatermillCodec.uuidKey', uuidKey);
    this.uuidKey = uuidKey;
    this.form = payload;
  }

  encode(stream: string, envelope: MessageEnvelope): EntryFields {
    const { payload, messageId = '', headers = {} } = envelope;
    // natricine's reader stops at any other ID, and again at each restart.
    if (this.uuidKey === NATRICINE && !UUID.test(messageId)) {
      throw new MessageEncodingError(stream, text.ID_NOT_UUID);
    }
    // Watermill refuses to forward such metadata.
    if (Object.hasOwn(headers, this.uuidKey)) {
      throw new MessageEncodingError(stream, text.headerReserved(this.uuidKey));
    }
    const bytes = this.form !== 'bytes' && payload instanceof Uint8Array;
    return [
      this.uuidKey,
      messageIdField(messageId),
      'payload',
      bytes ? ownBytes(payload) : encodePayload(stream, this.form, payload),
      'metadata',
      writeMetadata(stream, envelope, bytes),
    ];
  }

  decode(fields: RawFields): DecodedEnvelope {
    let payload, metadata: Buffer | undefined;
    let messageId = '';
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [field, value] = [fields[at]?.toString() ?? '', fields[at + 1]];
      if (field === 'payload') payload = value;
      else if (field === 'metadata') metadata = value;
      else if (field === this.uuidKey || field === WATERMILL || field === NATRICINE) {
        messageId = value === undefined ? '' : messageIdOf(value);
      }
    }
    if (payload === undefined) throw new MessageDecodingError(text.fieldMissing('payload'));
    const { isBytes, ...rest } = readMetadata(metadata);
    return {
      ...rest,
      messageId: messageId === '' ? undefined : messageId,
      payload: decodePayload('payload', isBytes ? 'bytes' : this.form, payload),
    };
  }
}

const FIELD = 'metadata';
/** Watermill's own CQRS uses this key too. */
const NAME = 'name';
const KEY = '_nestjs_key';
const NEST = '_nestjs_metadata';
const PAYLOAD = '_nestjs_payload';
const OURS: readonly string[] = [NAME, KEY, NEST, PAYLOAD];

type InMetadata = Pick<DecodedEnvelope, 'name' | 'headers' | 'metadata' | 'key'>;

/** The map holds text and scalars. Lists and extensions could claim far more memory than the entry has bytes. */
const LIMITS = { maxArrayLength: 0, maxExtLength: 0 };
const LENIENT = { ...LIMITS, maxBinLength: 0 };
/** Without these, the library reads other characters for bytes that are not UTF-8. */
const STRICT: DecoderOptions = {
  ...LIMITS,
  useBigInt64: true,
  rawStrings: true,
  keyDecoder: {
    canBeCached: () => true,
    decode: (bytes, from, length) => textOf(bytes.subarray(from, from + length)),
  },
};

const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  fromUtf8(FIELD, Buffer.from(buffer, byteOffset, byteLength));

/** @throws MessageEncodingError if a header has one of this codec's own names */
function writeMetadata(
  stream: string,
  { name, headers = {}, metadata, key }: MessageEnvelope,
  isBytes: boolean,
): Buffer {
  const reserved = OURS.find((ours) => Object.hasOwn(headers, ours));
  if (reserved !== undefined) throw new MessageEncodingError(stream, text.headerReserved(reserved));
  if (Object.hasOwn(headers, '__proto__')) {
    throw new MessageEncodingError(stream, text.headerReserved('__proto__'));
  }
  const all: Record<string, string> = { ...headers, [NAME]: name };
  if (key !== undefined) all[KEY] = key;
  if (metadata !== undefined) all[NEST] = toJson(stream, 'metadata', metadata);
  if (isBytes) all[PAYLOAD] = 'bytes';
  return Buffer.from(encode(all));
}

/**
 * @param field undefined or empty if the producer had no metadata
 * @throws MessageDecodingError if it is not a map of text and scalars
 */
function readMetadata(field: Buffer | undefined): InMetadata & { isBytes: boolean } {
  if (field === undefined || field.length === 0) return { isBytes: false };
  const headers: [string, string][] = [];
  const ours = new Map<string, string>();
  for (const [name, packed] of Object.entries(unpacked(field))) {
    const value = scalarText(packed);
    if (OURS.includes(name)) ours.set(name, value);
    else headers.push([name, value]);
  }
  const [name, nest, payload] = [ours.get(NAME), ours.get(NEST), ours.get(PAYLOAD)];
  if (payload !== undefined && payload !== 'bytes') {
    throw new MessageDecodingError(text.encodingUnknown(`${FIELD}.${PAYLOAD}`));
  }
  return {
    name: name === '' ? undefined : name,
    headers: headers.length === 0 ? undefined : Object.fromEntries(headers),
    metadata: nest === undefined ? undefined : objectOf(NEST, fromJson(NEST, nest)),
    key: ours.get(KEY),
    isBytes: payload === 'bytes',
  };
}

/** A value of natricine's metadata as text, as its own subscriber reads it. Watermill writes only strings. */
function scalarText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? 'True' : 'False';
    default:
      if (value === null) return 'None';
      if (value instanceof Uint8Array) return textOf(value);
      throw new MessageDecodingError(text.notMessagePack(FIELD));
  }
}

/** The usual map is all in ASCII, and read faster by the lenient decoder: the same text, since no byte of it is left out. */
function unpacked(field: Buffer): object {
  const map = unpackedBy(LENIENT, field);
  return map !== undefined && isAscii(map, field) ? map : strictlyUnpacked(field);
}

function isAscii(map: object, field: Buffer): boolean {
  let length = 1;
  for (const [name, value] of Object.entries(map)) {
    if (typeof value !== 'string' || /[^\0-\x7f]/.test(name + value)) return false;
    length += packedLength(name) + packedLength(value);
  }
  return length === field.length;
}

const packedLength = ({ length }: string): number =>
  length + (length < 32 ? 1 : length < 256 ? 2 : 3);

function strictlyUnpacked(field: Buffer): object {
  const map = unpackedBy(STRICT, field);
  if (map === undefined) throw new MessageDecodingError(text.notMessagePack(FIELD));
  return map;
}

/** @returns undefined if it is no map */
function unpackedBy(options: DecoderOptions, field: Buffer): object | undefined {
  try {
    const map: unknown = decode(field, options);
    const isMap = typeof map === 'object' && map !== null && !(map instanceof Uint8Array);
    return isMap ? map : undefined;
  } catch (error) {
    if (error instanceof MessageDecodingError) throw error;
    if (error instanceof Error && error.message.includes('__proto__')) {
      throw new MessageDecodingError(text.PROTO_IN_METADATA);
    }
    // No cause: its message may quote the content.
    return undefined;
  }
}

shareClasses({ WatermillCodec });
