import type { z } from 'zod';
import { noSuchOption } from './nearest.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';

/**
 * Validates `options`.
 *
 * @param root put before the path in the error (`subscription`)
 * @throws InvalidOptionsError for the first issue
 */
export function checkOptions(schema: z.ZodType, options: unknown, root = ''): void {
  const found = schema.safeParse(options).error?.issues[0];
  if (found === undefined) return;
  const issue = mostTelling(found);
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...issue.path, ...(unknownKey === undefined ? [] : [unknownKey])];
  const allowed =
    unknownKey === undefined
      ? issue.message
      : noSuchOption(unknownKey, knownKeys(schema, issue.path));
  // A URL with a password may also be passed in the wrong place: instead of all options, or under an unknown key.
  const mayBeSecret = path.length === 0 || path[0] === 'connection' || unknownKey !== undefined;
  throw new InvalidOptionsError(
    [...(root === '' ? [] : [root]), ...path].join('.') || 'options',
    describe(valueAt(options, path), mayBeSecret),
    allowed,
  );
}

function valueAt(options: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined,
    options,
  );
}

function describe(value: unknown, secret: boolean): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  if (secret) return `a ${typeof value}`;
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * What is wrong with a value that may have one of several forms: if it has one of them, what is wrong inside it; else all forms
 * that are allowed.
 */
function mostTelling(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const inside = issue.errors.flat().find(isInside);
  return inside === undefined ? issue : { ...inside, path: [...issue.path, ...inside.path] };
}

const isInside = ({ code, path }: z.core.$ZodIssue): boolean =>
  path.length > 0 || code === 'unrecognized_keys';

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const key of path) at = inner(at, key);
  return Object.keys(shapeOf(at) ?? {});
}

/** The schema of the property `key`. */
function inner(schema: unknown, key: PropertyKey): unknown {
  const shape = shapeOf(schema);
  if (shape !== undefined) return Reflect.get(shape, key);
  const bare = unwrapped(schema);
  return typeof bare === 'object' && bare !== null && 'valueType' in bare
    ? bare.valueType
    : undefined;
}

function shapeOf(schema: unknown): object | undefined {
  const bare = unwrapped(schema);
  if (typeof bare !== 'object' || bare === null) return undefined;
  // Of several forms, one is an object.
  if ('options' in bare && Array.isArray(bare.options)) {
    return bare.options.map((each) => shapeOf(each)).find((shape) => shape !== undefined);
  }
  if (!('shape' in bare)) return undefined;
  return typeof bare.shape === 'object' && bare.shape !== null ? bare.shape : undefined;
}

function unwrapped(schema: unknown): unknown {
  let bare = schema;
  while (
    typeof bare === 'object' &&
    bare !== null &&
    'unwrap' in bare &&
    typeof bare.unwrap === 'function'
  ) {
    bare = bare.unwrap();
  }
  return bare;
}
