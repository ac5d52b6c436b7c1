import { z } from 'zod';
import { isRedisInstance } from './is-redis-instance.js';
import { isStreamName } from './schema-parts.js';

export const connection = z
  .custom(
    (value) =>
      (typeof value === 'string' && /^rediss?:\/\//.test(value)) ||
      (typeof value === 'object' && value !== null && !Array.isArray(value)),
    { error: 'a redis:// or rediss:// URL, ioredis options, or an ioredis instance' },
  )
  .refine((value) => !hasKeyPrefix(value), {
    error:
      'no keyPrefix of ioredis, which would tear the keys of a stream apart: use the option "keyPrefix" here',
  })
  .optional();

function hasKeyPrefix(value: unknown): boolean {
  const options = isRedisInstance(value) ? value.options : value;
  return (
    typeof options === 'object' &&
    options !== null &&
    'keyPrefix' in options &&
    Boolean(options.keyPrefix)
  );
}

const keyPrefixError = 'text that Redis Cluster can hash: braces only as a tag such as "{eu}:"';
export const keyPrefix = z
  .string({ error: keyPrefixError })
  .refine((value) => isStreamName(`${value}a`), { error: keyPrefixError })
  .optional();
