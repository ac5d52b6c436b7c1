import { z } from 'zod';
import { hashTagged } from '../wire/hash-tags.js';
import { isGroupName } from '../wire/stream-names.js';

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
