import { isUtf8 } from 'node:buffer';
import { MessageDecodingError } from '../errors/message-decoding.error.js';
import { MessageEncodingError } from '../errors/message-encoding.error.js';
import * as text from './codec.messages.js';
import { types } from 'node:util';

/**
 * A value as JSON, where JSON can say it.
 *
 * @throws MessageEncodingError where something in it would arrive as something else
 */
export function toJson(stream: string, what: string, value: unknown): string {
  let json: string | undefined;
  let damage: string | undefined;
  try {
    json = JSON.stringify(value);
    // Afterwards, when it is known that nothing in it is circular.
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

// A circular structure is described over several lines, with property names that may tell more than they should.
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

/** @throws MessageDecodingError where it is not JSON */
export function fromJson(field: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // V8 quotes the text in its message, and bodies are never logged: so the cause is not kept.
    throw new MessageDecodingError(text.notJsonText(field));
  }
}

/** @throws MessageDecodingError where the bytes are not UTF-8: other characters would stand in their place */
export function fromUtf8(field: string, bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new MessageDecodingError(text.notUtf8(field));
  return bytes.toString();
}

/** @throws MessageDecodingError where it is not an object */
export function objectOf(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MessageDecodingError(text.notAStringMap(field));
  }
  return Object.fromEntries(Object.entries(value));
}

/** @throws MessageDecodingError where it is not an object of texts */
export function stringMap(field: string, value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(objectOf(field, value)).map(([name, its]) => {
      if (typeof its !== 'string') throw new MessageDecodingError(text.notAStringMap(field));
      return [name, its];
    }),
  );
}

/**
 * What in `value` JSON would write as something else without a word: a `NaN` as `null`, a `Map` as `{}`. Properties that
 * are `undefined` or functions are left out, as everywhere with JSON; what has `toJSON` speaks for itself.
 *
 * @param value holds no circle: JSON could write it
 * @returns what it is, in words that tell nothing of what it holds; nothing where all is well
 */
export function jsonDamage(value: unknown): string | undefined {
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
    const its: unknown = Reflect.get(value, key);
    if (its === undefined || typeof its === 'function') continue;
    const damage = jsonDamage(its);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

// By index: what is missing in a list becomes null too.
function damageOfList(list: readonly unknown[]): string | undefined {
  for (let at = 0; at < list.length; at++) {
    const damage = list[at] === undefined ? 'an undefined in a list' : jsonDamage(list[at]);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

/** What keeps its contents where JSON does not look. */
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
