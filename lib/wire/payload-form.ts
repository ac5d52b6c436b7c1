import { isUtf8 } from 'node:buffer';
import { types } from 'node:util';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { cutText, isA, thrownMessage } from '../errors/thrown.js';
import * as text from './codec.js';

const LONGEST_REASON = 1_000;
/** Of objects and lists in each other. Many programs read no more than that, and few can walk through more. */
const MOST_LEVELS = 1_000;
const TOO_DEEP = `it has more than ${MOST_LEVELS} levels`;

/** Reads and writes JSON, as the global `JSON` does. */
export interface JsonFormat {
  /** @throws if it is not JSON; the error is not kept, since it may quote the text */
  parse(text: string): unknown;
  /** Returns undefined for what has no JSON form. */
  stringify(value: unknown): string | undefined;
}

/**
 * A value as JSON.
 *
 * @throws MessageEncodingError if JSON cannot express something in it, and it would arrive as something else; or if it has so many
 *   levels that it might not be read back
 */
export function toJson(
  stream: string,
  what: string,
  value: unknown,
  format: Pick<JsonFormat, 'stringify'> = JSON,
): string {
  let json: string | undefined;
  let damage: string | undefined;
  try {
    json = format.stringify(value);
    // Only now is it certain that nothing in it is circular.
    if (json !== undefined) damage = jsonDamage(value, MOST_LEVELS);
  } catch (cause) {
    const message = firstLine(cutText(thrownMessage(cause), LONGEST_REASON));
    const reason = isStackOverflow(cause) ? TOO_DEEP : message;
    throw new MessageEncodingError(stream, `${what}: ${reason}`, { cause });
  }
  if (json === undefined) damage = `a ${typeof value}`;
  if (json === undefined || damage !== undefined) {
    const reason = damage === TOO_DEEP ? TOO_DEEP : text.notJson(damage ?? '');
    throw new MessageEncodingError(stream, `${what}: ${reason}`);
  }
  return json;
}

// V8 describes a circular structure in several lines, with property names that may be confidential.
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

const isStackOverflow = (error: unknown): boolean =>
  isA(error, RangeError) && thrownMessage(error).startsWith('Maximum call stack size');

/** @throws MessageDecodingError if it is not JSON */
export function fromJson(
  field: string,
  json: string,
  format: Pick<JsonFormat, 'parse'> = JSON,
): unknown {
  try {
    return format.parse(json);
  } catch (error) {
    // No cause: V8 quotes the text in its message, and bodies must never be logged.
    const reason = isStackOverflow(error) ? text.tooDeep(field) : text.notJsonText(field);
    throw new MessageDecodingError(reason);
  }
}

/** @throws MessageDecodingError if the bytes are not UTF-8: decoding would replace them by other characters */
export function fromUtf8(field: string, bytes: Buffer): string {
  const decoded = bytes.toString();
  // Invalid bytes decode to this character, but a producer may also have written the character itself.
  if (decoded.includes('\uFFFD') && !isUtf8(bytes)) {
    throw new MessageDecodingError(text.notUtf8(field));
  }
  return decoded;
}

/** @throws MessageDecodingError if it is not an object */
export function objectOf(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MessageDecodingError(text.notAStringMap(field));
  }
  return Object.fromEntries(Object.entries(value));
}

/** @throws MessageDecodingError if it is not an object whose values are strings */
export function stringMap(field: string, value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(objectOf(field, value)).map(([name, entry]) => {
      if (typeof entry !== 'string') throw new MessageDecodingError(text.notAStringMap(field));
      return [name, entry];
    }),
  );
}

/**
 * Finds something in `value` that JSON would silently change: `NaN` becomes `null`, a `Map` becomes `{}`. Properties that are
 * `undefined` or functions are fine, since JSON always leaves them out, and so are objects with `toJSON`.
 *
 * @param value must not be circular
 * @param levels how many levels of objects and lists it may have
 * @returns the kind of thing that was found, without its content, or undefined
 */
function jsonDamage(value: unknown, levels: number): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : String(value);
    case 'object':
      return value === null ? undefined : damageOfObject(value, levels);
    default:
      return `a ${typeof value}`;
  }
}

function damageOfObject(value: object, levels: number): string | undefined {
  if (levels === 0) return TOO_DEEP;
  if (Array.isArray(value)) return damageOfList(value, levels - 1);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : undefined;
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && isOpaque(value)) {
    return `a ${value.constructor.name}`;
  }
  for (const key of Object.keys(value)) {
    const property: unknown = Reflect.get(value, key);
    if (property === undefined || typeof property === 'function') continue;
    const damage = jsonDamage(property, levels - 1);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

// By index, since JSON also writes the gaps of a sparse list as null.
function damageOfList(list: readonly unknown[], levels: number): string | undefined {
  for (let at = 0; at < list.length; at++) {
    const damage = list[at] === undefined ? 'an undefined in a list' : jsonDamage(list[at], levels);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

/** Objects whose content JSON does not see. */
const isOpaque = (value: object): boolean =>
  types.isMap(value) ||
  types.isSet(value) ||
  types.isWeakMap(value) ||
  types.isWeakSet(value) ||
  types.isAnyArrayBuffer(value) ||
  ArrayBuffer.isView(value) ||
  types.isRegExp(value) ||
  types.isPromise(value) ||
  types.isNativeError(value);

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
