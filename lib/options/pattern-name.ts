import { InvalidOptionsError } from '../errors/redis-streams.error.js';

/** Beyond these, patterns that differ have the same route in Nest. */
const MOST_LEVELS = 5;
const MOST_KEYS = 20;

/** What would read as something else than text if it were not in quotes. */
const NOT_TEXT = /^(?:-?\d+(?:\.\d+)?(?:e[+-]\d+)?|true|false|null|)$/;

/**
 * The stream of one of Nest's own patterns, an object or a number: `{ cmd: 'sum' }` is the stream `cmd=sum`, and 42 is `42`.
 *
 * Keys are sorted, and separated by commas; an object inside is in parentheses. Text is written as in a URL, with `:` and `/` as
 * they are, and in single quotes if it is empty or would read as a number, `true`, `false` or `null`. So two objects have the same
 * stream only if Nest has the same route for them, and no stream has a brace or a `*`. Patterns are stored in Redis by these
 * names: the rule must never change.
 *
 * @throws InvalidOptionsError if the pattern is anything else, or has a part that is neither text, a number, `true`, `false`,
 *   `null` nor an object
 */
export function patternName(pattern: unknown): string {
  if (typeof pattern === 'number') return numberName('pattern', pattern);
  if (typeof pattern !== 'object' || pattern === null || Array.isArray(pattern))
    throw refused('pattern', pattern, ALLOWED);
  return objectName('pattern', pattern, 1);
}

const ALLOWED =
  'the name of a stream, { stream, name }, or a pattern of Nest such as { cmd: "sum" } or a number';

const refused = (path: string, value: unknown, allowed: string): InvalidOptionsError => {
  const given = Array.isArray(value)
    ? 'a list'
    : value == null
      ? String(value)
      : `a ${typeof value}`;
  return new InvalidOptionsError(path, given, allowed);
};

function objectName(path: string, value: object, level: number): string {
  const keys = Object.keys(value).sort();
  if (level > MOST_LEVELS || keys.length > MOST_KEYS || keys.length === 0) {
    const given = level > MOST_LEVELS ? 'one more object' : `an object with ${keys.length} keys`;
    const allowed = `1 to ${MOST_KEYS} keys, and objects in each other ${MOST_LEVELS} deep, as Nest tells patterns apart`;
    throw new InvalidOptionsError(path, given, allowed);
  }
  return keys
    .map((key) => {
      const inside = `${path}.${key}`;
      return `${textName(inside, key)}=${valueName(inside, Reflect.get(value, key), level)}`;
    })
    .join(',');
}

function valueName(path: string, value: unknown, level: number): string {
  if (typeof value === 'string') {
    return NOT_TEXT.test(value) ? `'${value}'` : textName(path, value);
  }
  if (typeof value === 'number') return numberName(path, value);
  if (typeof value === 'boolean' || value === null) return String(value);
  if (typeof value === 'object' && !Array.isArray(value))
    return `(${objectName(path, value, level + 1)})`;
  throw refused(path, value, 'text, a number, true, false, null, or an object of these');
}

function numberName(path: string, value: number): string {
  if (Number.isFinite(value)) return String(value);
  throw new InvalidOptionsError(path, String(value), 'a finite number');
}

/** `encodeURIComponent` leaves some characters as they are that this notation needs, or wildcards. */
const textName = (path: string, text: string): string => {
  if (/\p{Surrogate}/u.test(text)) {
    throw new InvalidOptionsError(
      path,
      'text with unpaired surrogates',
      'text that UTF-8 can encode',
    );
  }
  return encodeURIComponent(text)
    .replace(/[*'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':')
    .replaceAll('%2F', '/');
};
