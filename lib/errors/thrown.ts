import { types } from 'node:util';

/**
 * Whether a value is an instance of a class. It never throws, unlike `instanceof`: a Proxy may refuse to tell its prototype.
 */
export function isA<Type>(
  value: unknown,
  type: abstract new (...args: never[]) => Type,
): value is Type {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Whether a value is an error, also one of another realm, as Jest has them. Never throws. */
export const isError = (value: unknown): value is Error =>
  isA(value, Error) || types.isNativeError(value);

/** A property of a value; `undefined` if it has none, or if it throws. */
export function propertyOf(value: unknown, name: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
    return undefined;
  }
  try {
    const property: unknown = Reflect.get(value, name);
    return property;
  } catch {
    return undefined;
  }
}

/** The first items of a list, and how many it has; nothing if it is no list, or cannot be read. */
export function itemsOf(value: unknown, most: number): { items: unknown[]; count: number } {
  try {
    if (!Array.isArray(value)) return { items: [], count: 0 };
    const list: unknown[] = value;
    return { items: list.slice(0, most), count: list.length };
  } catch {
    return { items: [], count: 0 };
  }
}

/** The class of something that was thrown, also if it set no `name` of its own; the type of what has no class. */
export function thrownName(thrown: unknown): string {
  if (thrown === null) return 'null';
  if (typeof thrown !== 'object') return typeof thrown;
  const className = nameIn(propertyOf(thrown, 'constructor'));
  if (!isError(thrown)) return className === 'Object' ? 'object' : (className ?? 'object');
  const own = nameIn(thrown);
  return own === undefined || own === 'Error' ? (className ?? 'Error') : own;
}

/** The message of something that was thrown, which need not be an `Error`. Of any length. */
export function thrownMessage(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return textOf(thrown);
  const message = propertyOf(thrown, 'message');
  if (message !== undefined) return textOf(message);
  return isError(thrown) ? '' : textOf(thrown);
}

/** Anything as text. The content of objects is not shown: it may be a payload. */
export function textOf(value: unknown): string {
  if (typeof value === 'function') return '[object Function]';
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return '[object that cannot be read]';
  }
}

/** The sign at the end of a text that was cut. */
const CUT = '…';
const encoder = new TextEncoder();

/** The beginning of a text, of at most so many bytes in UTF-8 and the sign that it was cut. */
export function cutText(text: string, mostBytes: number): string {
  if (text.length * 3 <= mostBytes) return text;
  const { read } = encoder.encodeInto(text.slice(0, mostBytes + 1), new Uint8Array(mostBytes));
  return read === text.length ? text : text.slice(0, read) + CUT;
}

function nameIn(value: unknown): string | undefined {
  const name = propertyOf(value, 'name');
  return typeof name === 'string' && name !== '' ? name : undefined;
}

// What a terminal obeys instead of showing it: control characters, marks that change the direction of text or are invisible,
// half surrogates, and line separators.
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text from Redis, a caller or user code, made safe for a terminal and a log: what they would obey is written as an escape. So
 * nobody who publishes can move the cursor, set a title, hide a line or add one.
 */
export const visible = (text: string): string => text.replace(OBEYED, escaped);

/** How much of a name or an ID is shown. */
const LONGEST_NAME = 200;

/** A name, a key or an ID in an error or a log line: it may be a megabyte long. */
export const shown = (name: string): string => visible(cutText(name, LONGEST_NAME));

// In JSON's notation, so that the result is valid in JSON too.
function escaped(character: string): string {
  let text = '';
  for (let at = 0; at < character.length; at++) {
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return text;
}
