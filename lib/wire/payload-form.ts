import { InvalidOptionsError } from '../errors/options.errors.js';
import { MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.messages.js';
import { fromJson, fromUtf8, toJson } from './json-text.js';

/**
 * What the bytes of a payload are: JSON of any value, the text that it is (UTF-8), or bytes as they are, which arrive as a
 * `Buffer`.
 */
export type PayloadForm = 'json' | 'text' | 'bytes';

const FORMS: ReadonlySet<unknown> = new Set(['json', 'text', 'bytes']);

/**
 * The options of a codec, looked at.
 *
 * @throws InvalidOptionsError where one of them is unknown, or no payload form
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

/** @throws InvalidOptionsError where it is not a name that a field can have */
export function checkFieldName(path: string, name: unknown): void {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionsError(path, name === '' ? "''" : `a ${typeof name}`, "a field's name");
  }
}

/** @throws MessageEncodingError where the payload has not this form */
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

/** @throws MessageDecodingError where the bytes have not this form */
export function decodePayload(field: string, form: PayloadForm, bytes: Buffer): unknown {
  if (form === 'bytes') return ownBytes(bytes);
  const its = fromUtf8(field, bytes);
  return form === 'text' ? its : fromJson(field, its);
}

/** Not a view: the caller may write into his before it is sent, and a handler into its before it is kept. */
export const ownBytes = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
