import { z } from 'zod';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { hashTagged } from '../wire/hash-tags.js';
import { isGroupName } from '../wire/stream-names.js';

/**
 * Validates `options`.
 *
 * @param root put before the path in the error (`subscription`)
 * @throws InvalidOptionsError for the first issue
 */
export function checkOptions(schema: z.ZodType, options: unknown, root = ''): void {
  const issue = schema.safeParse(options).error?.issues[0];
  if (issue === undefined) return;
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...issue.path, ...(unknownKey === undefined ? [] : [unknownKey])];
  const allowed =
    unknownKey === undefined
      ? issue.message
      : `no such option; known here: ${knownKeys(schema, issue.path)}`;
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

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string {
  let at: unknown = schema;
  for (const key of path) at = inner(at, key);
  const shape = shapeOf(at);
  return shape === undefined ? 'those in the documentation' : Object.keys(shape).join(', ');
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
  if (typeof bare !== 'object' || bare === null || !('shape' in bare)) return undefined;
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

/** The kinds of values that options have. Each carries its error: what is allowed instead. */
export const wholeNumber = (min: number, max: number, unit: string) => {
  const error = `a whole number${unit}, ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
// A timer takes 31 bits of milliseconds.
export const timerMs = (min: number) => wholeNumber(min, 2_147_483_647, ' of ms').optional();
/**
 * Ten years: the longest time that Redis is asked to remember or to wait. Scripts subtract it from Redis's time, which must not
 * become negative.
 */
export const LONGEST_MS = 315_360_000_000;
export const windowMs = wholeNumber(1, LONGEST_MS, ' of ms').optional();
const MOST = 1_000_000_000_000;
export const count = (min: number, max = MOST) => wholeNumber(min, max, '').optional();
export const trueOrFalse = z.boolean({ error: 'true or false' }).optional();
const groupError =
  'text that is not empty, without the parts "group:" and "jobs:": one name for each service';
export const nameText = (error: string) => z.string({ error }).min(1, { error });
export const groupName = nameText(groupError).refine(isGroupName, { error: groupError });
export const object = (shape: z.ZodRawShape, error: string) => z.strictObject(shape, { error });
export const callable = (error: string) =>
  z.custom((value) => typeof value === 'function', { error }).optional();

export const withMethods = (names: readonly string[], error: string) =>
  z
    .custom(
      (value) =>
        typeof value === 'object' &&
        value !== null &&
        names.every((name) => typeof Reflect.get(value, name) === 'function'),
      { error },
    )
    .optional();
export const codec = withMethods(
  ['encode', 'decode'],
  'an object with the methods encode and decode, such as new WatermillCodec()',
);

export const isStreamName = (name: string): boolean => {
  try {
    hashTagged(name);
    return true;
  } catch {
    return false;
  }
};

const keyPrefixError = 'text that Redis Cluster can hash: braces only as a tag such as "{eu}:"';
export const keyPrefix = z
  .string({ error: keyPrefixError })
  .refine((value) => isStreamName(`${value}a`), { error: keyPrefixError })
  .optional();

const inboxError = '1 to 64 letters, digits, _ and -';
export const inbox = z
  .string({ error: inboxError })
  .regex(/^[\w-]{1,64}$/, { error: inboxError })
  .optional();

const instanceNameError = '1 to 64 letters, digits, _, . and -';
export const instanceName = z
  .string({ error: instanceNameError })
  .regex(/^[\w.-]{1,64}$/, { error: instanceNameError })
  .optional();

/** The payload schemas of arktype are functions. */
const isStandardSchema = (value: unknown): boolean => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const { version, validate } = Object(Reflect.get(value, '~standard'));
  return version === 1 && typeof validate === 'function';
};
export const payloadSchema = z
  .custom(isStandardSchema, {
    error: 'a Standard Schema (version 1), such as zod, valibot and arktype make',
  })
  .optional();
