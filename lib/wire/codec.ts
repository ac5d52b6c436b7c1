import { types } from 'node:util';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import { RedisStreamsError } from '../errors/redis-streams.error.js';
import { thrownText } from '../errors/thrown-text.js';
import { isA } from '../errors/thrown.js';

/** A message with everything that travels with it. */
export interface MessageEnvelope {
  /** What kind of message it is. */
  readonly name: string;
  readonly payload: unknown;
  /** The ID that its producer gave it. A message without one has its entry ID. */
  readonly messageId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What Nest's dispatch hook attached. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Ordering key. */
  readonly key?: string | undefined;
}

/** A message as it was read from an entry. If the entry has no name, the stream's name is used. */
export interface DecodedEnvelope extends Omit<MessageEnvelope, 'name'> {
  readonly name?: string | undefined;
}

/** An entry's fields in Redis's order: name, value, name, value … */
export type EntryFields = (string | Buffer)[];

/** The fields of an entry that was read, as bytes: name, value, name, value … */
export type RawFields = readonly Buffer[];

/**
 * How a message is written as an entry's fields, and read from them. `JsonCodec` is the default; `WatermillCodec` and
 * `FieldCodec` are for streams that other programs use too. Your own codec has the same two methods. They are synchronous, and
 * one codec serves many messages.
 *
 * @example
 * ```ts
 * class CsvCodec implements Codec {
 *   encode(stream: string, { payload }: MessageEnvelope): EntryFields {
 *     if (!Array.isArray(payload)) throw new MessageEncodingError(stream, 'the payload is not a list');
 *     return ['csv', payload.join(',')];
 *   }
 *   decode(fields: RawFields): DecodedEnvelope {
 *     const [name, csv] = fields;
 *     if (name?.toString() !== 'csv' || csv === undefined) throw new MessageDecodingError('field "csv" is missing');
 *     return { payload: csv.toString().split(',') };
 *   }
 * }
 *
 * RedisStreamsModule.forRoot({ group: 'billing', streams: { rates: { codec: new CsvCodec() } } });
 * ```
 */
export interface Codec {
  /**
   * Whether `decode` returns the ordering key that `encode` was given. On a stream with `partitions`, consumers need it to keep
   * the messages of a key in order. Unless it is `true`, all messages of a partition are handled one after another, as if they
   * had the same key. `false` also means that an entry cannot hold a key: `encode` then gets none.
   *
   * @default undefined: a key may or may not be returned
   */
  readonly carriesKey?: boolean;
  /**
   * @param stream the stream's name, for errors
   * @throws MessageEncodingError if the message cannot be written: nothing is sent, and the caller gets the error
   */
  encode(stream: string, envelope: MessageEnvelope): EntryFields;
  /**
   * Any program can write to a stream, so check the fields.
   *
   * @throws MessageDecodingError if `encode` would not write such fields: the entry becomes a dead letter with this reason,
   *   which should not quote the fields' values
   */
  decode(fields: RawFields): DecodedEnvelope;
}

/** A Lua script takes 8 000 values at once, and a dead letter adds some to the entry's. */
const MOST_FIELDS = 3_500;

/**
 * Encodes a message, and checks what the codec returns: it may be the user's.
 *
 * @throws MessageEncodingError if it throws anything, or returns no list of field names and values, or one that is too long
 */
export function encodeFields(codec: Codec, stream: string, envelope: MessageEnvelope): EntryFields {
  const fields = encoded(codec, stream, envelope);
  const refuse = (what: string): never => {
    throw new MessageEncodingError(
      stream,
      `the codec returned ${what}; allowed is a list of 1 to ${MOST_FIELDS} field names, each with its value, as strings or Buffers`,
    );
  };
  // Nobody else handles its rejection.
  if (types.isPromise(fields)) fields.catch(() => undefined);
  if (!Array.isArray(fields)) return refuse('no list');
  if (fields.length === 0) return refuse('an empty list');
  if (fields.length % 2 === 1) return refuse('a name without a value');
  if (fields.length > 2 * MOST_FIELDS) return refuse(`${fields.length / 2} fields`);
  for (const field of fields) {
    if (typeof field === 'string' || field instanceof Uint8Array) continue;
    return refuse(`a list with something else than text and bytes (${typeof field})`);
  }
  return fields;
}

function encoded(codec: Codec, stream: string, envelope: MessageEnvelope): unknown {
  try {
    return codec.encode(stream, envelope);
  } catch (cause) {
    if (isA(cause, RedisStreamsError)) throw cause;
    throw new MessageEncodingError(stream, codecFailed(thrownText(cause)), { cause });
  }
}

/**
 * Decodes an entry with a codec, which may be the user's.
 *
 * @returns a copy, since a codec may return anything; if it has no name, the stream's name is used
 * @throws MessageDecodingError if the codec returns no message; and whatever the codec throws
 */
export function decodeEnvelope(codec: Codec, stream: string, fields: RawFields): MessageEnvelope {
  const decoded: unknown = codec.decode(fields);
  if (types.isPromise(decoded)) decoded.catch(() => undefined);
  if (typeof decoded !== 'object' || decoded === null || types.isPromise(decoded)) {
    throw new MessageDecodingError(NO_ENVELOPE);
  }
  const { name, payload, messageId, headers, metadata, key } = decoded as DecodedEnvelope;
  for (const value of [name, messageId, key]) {
    if (value !== undefined && typeof value !== 'string') {
      throw new MessageDecodingError(WRONG_ENVELOPE);
    }
  }
  for (const value of [headers, metadata]) {
    if (value !== undefined && (typeof value !== 'object' || value === null)) {
      throw new MessageDecodingError(WRONG_ENVELOPE);
    }
  }
  return { name: name ?? stream, payload, messageId, headers, metadata, key };
}

export const fieldMissing = (field: string): string => `field "${field}" is missing`;

export const notJson = (what: string): string => `${what} has no JSON form`;

export const notJsonText = (field: string): string => `field "${field}" is not JSON`;

export const tooDeep = (field: string): string =>
  `field "${field}" is not JSON that can be read: it has too many levels`;

export const notUtf8 = (field: string): string => `field "${field}" is not UTF-8`;

export const notBase64Text = (): string =>
  'field "body" is not a JSON string in base64, although "body-encoding" says so';

export const notAStringMap = (field: string): string =>
  `field "${field}" does not have the expected form`;

export const notMessagePack = (field: string): string =>
  `field "${field}" is not a MessagePack map of strings, numbers, booleans and nil`;

export const PROTO_IN_METADATA =
  'field "metadata" has the key "__proto__", which is not allowed: it could change what objects are';

export const encodingUnknown = (field: string): string =>
  `field "${field}" names an unknown encoding`;

export const PAYLOAD_NOT_TEXT = 'the payload is not a string, but the codec has payload: "text"';

export const PAYLOAD_NOT_UNICODE = 'the payload has unpaired surrogates, which UTF-8 cannot encode';

export const PAYLOAD_NOT_BYTES =
  'the payload is not a Buffer or Uint8Array, but the codec has payload: "bytes"';

export const BYTES_IN_A_FIELD =
  'the payload is bytes, and the entry could not tell; for a stream of bytes, set the codec\'s payload: "bytes"';

export const notInOneField = (what: string, field: string): string =>
  `its ${what} would be lost: the entry has only the field "${field}"`;

export const headerReserved = (header: string): string =>
  `header "${header}" has a name that this codec uses itself`;

export const ID_NOT_UUID = 'its message ID is not a UUID, and natricine reads only UUIDs';

export const schemaFailed = (reason: string): string => `the schema failed: ${reason}`;

export const NO_SCHEMA_RESULT = 'it returned neither a value nor issues';

export const NO_ISSUE_NAMED = 'the schema refused it without an issue';

export const moreIssues = (more: number): string => `and ${more} more`;

export const serializerFailed = (reason: string): string => `the serializer failed: ${reason}`;

export const ASYNC_SERIALIZER = 'the serializer returned a promise, but must return a value';

export const ASYNC_DESERIALIZER = 'the deserializer returned a promise, but must return a value';

export const NO_PACKET = 'the deserializer returned no packet with data';

export const requestFieldWrong = (field: string): string =>
  `field "${field}" is not valid for a request`;

const codecFailed = (reason: string): string => `the codec failed: ${reason}`;

const NO_ENVELOPE = "the codec's decode() returned no message";

const WRONG_ENVELOPE =
  "the codec's decode() returned a message whose name, messageId or key is not text, or whose headers or metadata are no object";
