import { z } from 'zod';
import { hashTagged } from '../wire/hash-slot.js';

export const wholeNumber = (min: number, max: number, unit: string) => {
  const upTo = max === Number.MAX_SAFE_INTEGER ? ' or more' : ` to ${max}`;
  const error = `a whole number${unit}, ${min}${upTo}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
// A timer takes 31 bits of milliseconds; a window in Redis takes any number.
export const timerMs = (min: number) => wholeNumber(min, 2_147_483_647, ' of ms').optional();
export const windowMs = wholeNumber(1, Number.MAX_SAFE_INTEGER, ' of ms').optional();
export const count = (min: number, max: number) => wholeNumber(min, max, '').optional();
export const groupError = 'text that is not empty: one name for each service';
export const nameText = (error: string) => z.string({ error }).min(1, { error });
export const object = (shape: z.ZodRawShape, error: string) => z.strictObject(shape, { error });

export const isStreamName = (name: string): boolean => {
  try {
    hashTagged(name);
    return true;
  } catch {
    return false;
  }
};

const hasMethod = (value: object, name: string): boolean =>
  typeof Reflect.get(value, name) === 'function';
export const withMethods = (names: readonly string[], error: string) =>
  z
    .custom(
      (value) =>
        typeof value === 'object' &&
        value !== null &&
        names.every((name) => hasMethod(value, name)),
      { error },
    )
    .optional();
export const codec = withMethods(
  ['encode', 'decode'],
  'an object with the methods encode and decode, such as new WatermillCodec()',
);

/** Those of arktype are functions. */
const isStandardSchema = (value: unknown): boolean => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const standard: { version?: unknown; validate?: unknown } = Object(
    Reflect.get(value, '~standard'),
  );
  return standard.version === 1 && typeof standard.validate === 'function';
};
export const payloadSchema = z
  .custom(isStandardSchema, {
    error: 'a Standard Schema (version 1), such as zod, valibot and arktype make',
  })
  .optional();

export const windowOrOff = z
  .union([z.literal(false), object({ windowMs }, 'an object with windowMs')], {
    error: 'false, or { windowMs } with a whole number of ms, 1 or more',
  })
  .optional();
