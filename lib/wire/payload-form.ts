import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.js';
import { fromJson, fromUtf8, toJson } from './json-text.js';

/**
 * The form of a payload in Redis: any value as JSON, a string as UTF-8 text, or plain bytes, which arrive as a `Buffer`.
 */
export type PayloadForm = 'json' | 'text' | 'bytes';

const FORMS: ReadonlySet<unknown> = new Set(['json', 'text', 'bytes']);

/**
 * Checks the options of a codec.
 *
 * @throws InvalidOptionsError if one of them is unknown, or `payload` is no payload form
 */
export function checkCodecOptions(codec: string, options: object, known: readonly string[]): void {
  const all = `an object with ${known.join(', ')}`;
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionsError(codec, `a ${typeof options}`, all);
  }
  for (const [key, value] of Object.entries(options)) {
    if (!known.includes(key)) {
      throw new InvalidOptionsError(`${codec}.${key}`, `a ${typeof value}`, all);
    }
    if (key === 'payload' && value !== undefined && !FORMS.has(value)) {
      throw new InvalidOptionsError(`${codec}.payload`, String(value), "'json', 'text' or 'bytes'");
    }
  }
}

/** @throws InvalidOptionsError if a field cannot have this name */
export function checkFieldName(path: string, name: unknown): void {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionsError(path, name === '' ? "''" : `a ${typeof name}`, "a field's name");
  }
}

/** @throws MessageEncodingError if the payload cannot have this form */
export function encodePayload(
  stream: string,
  form: PayloadForm,
  payload: unknown,
): string | Buffer {
  if (form === 'json') return toJson(stream, 'payload', payload);
  if (form === 'bytes') {
    if (!(payload instanceof Uint8Array)) {
      throw new MessageEncodingError(stream, text.PAYLOAD_NOT_BYTES);
    }
    return ownBytes(payload);
  }
  if (typeof payload !== 'string') throw new MessageEncodingError(stream, text.PAYLOAD_NOT_TEXT);
  const bytes = Buffer.from(payload);
  if (bytes.toString() !== payload)
    throw new MessageEncodingError(stream, text.PAYLOAD_NOT_UNICODE);
  return bytes;
}

/** @throws MessageDecodingError if the bytes do not have this form */
export function decodePayload(field: string, form: PayloadForm, bytes: Buffer): unknown {
  if (form === 'bytes') return ownBytes(bytes);
  const decoded = fromUtf8(field, bytes);
  return form === 'text' ? decoded : fromJson(field, decoded);
}

/** A copy, since the caller may change its bytes before they are sent, and a handler before they are kept. */
export const ownBytes = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
