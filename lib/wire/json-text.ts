import { isUtf8 } from 'node:buffer';
import { types } from 'node:util';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.js';

/**
 * A value as JSON.
 *
 * @throws MessageEncodingError if JSON cannot express something in it, and it would arrive as something else
 */
export function toJson(stream: string, what: string, value: unknown): string {
  let json: string | undefined;
  let damage: string | undefined;
  try {
    json = JSON.stringify(value);
    // Only now is it certain that nothing in it is circular.
    if (json !== undefined) damage = jsonDamage(value);
  } catch (cause) {
    const reason = cause instanceof Error ? firstLine(cause.message) : String(cause);
    throw new MessageEncodingError(stream, `${what}: ${reason}`, { cause });
  }
  if (json === undefined) damage = `a ${typeof value}`;
  if (json === undefined || damage !== undefined) {
    throw new MessageEncodingError(stream, `${what}: ${text.notJson(damage ?? '')}`);
  }
  return json;
}

// V8 describes a circular structure in several lines, with property names that may be confidential.
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

/** @throws MessageDecodingError if it is not JSON */
export function fromJson(field: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // No cause: V8 quotes the text in its message, and bodies must never be logged.
    throw new MessageDecodingError(text.notJsonText(field));
  }
}

/** @throws MessageDecodingError if the bytes are not UTF-8: decoding would replace them by other characters */
export function fromUtf8(field: string, bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new MessageDecodingError(text.notUtf8(field));
  return bytes.toString();
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
 * @returns the kind of thing that was found, without its content, or undefined
 */
function jsonDamage(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : String(value);
    case 'object':
      return value === null ? undefined : damageOfObject(value);
    default:
      return `a ${typeof value}`;
  }
}

function damageOfObject(value: object): string | undefined {
  if (Array.isArray(value)) return damageOfList(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : undefined;
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && isOpaque(value)) {
    return `a ${value.constructor.name}`;
  }
  for (const key of Object.keys(value)) {
    const property: unknown = Reflect.get(value, key);
    if (property === undefined || typeof property === 'function') continue;
    const damage = jsonDamage(property);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

// By index, since JSON also writes the gaps of a sparse list as null.
function damageOfList(list: readonly unknown[]): string | undefined {
  for (let at = 0; at < list.length; at++) {
    const damage = list[at] === undefined ? 'an undefined in a list' : jsonDamage(list[at]);
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
