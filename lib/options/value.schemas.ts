import { z } from 'zod';
import { hashTagged } from '../wire/stream-name.js';

/** The kinds of values that options have. Each carries its error: what is allowed instead. */
export const wholeNumber = (min: number, max: number, unit: string) => {
  const upTo = max === Number.MAX_SAFE_INTEGER ? ' or more' : ` to ${max}`;
  const error = `a whole number${unit}, ${min}${upTo}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
// A timer takes 31 bits of milliseconds; a window in Redis takes any number.
export const timerMs = (min: number) => wholeNumber(min, 2_147_483_647, ' of ms').optional();
export const windowMs = wholeNumber(1, Number.MAX_SAFE_INTEGER, ' of ms').optional();
export const count = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  wholeNumber(min, max, '').optional();
export const trueOrFalse = z.boolean({ error: 'true or false' }).optional();
export const groupError = 'text that is not empty: one name for each service';
export const nameText = (error: string) => z.string({ error }).min(1, { error });
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
