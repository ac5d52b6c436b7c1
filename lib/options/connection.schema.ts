import { z } from 'zod';
import { isRedisInstance } from './is-redis-instance.js';
import { isStreamName, timerMs } from './schema-parts.js';

// What cannot be read would be an error of Node that carries the URL, with the password in it.
function isUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^rediss?:\/\//.test(value) || !URL.canParse(value))
    return false;
  const { username, password } = new URL(value);
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

const forms =
  'a redis:// or rediss:// URL, ioredis options, a function that makes connections, or an ioredis instance';

const tornApart =
  'no keyPrefix of ioredis, which would tear the keys of a stream apart: use the option "keyPrefix" here';

const inOptions = z.looseObject({
  url: z.custom(isUrl, { error: 'a redis:// or rediss:// URL' }).optional(),
  credentials: z
    .custom((value) => typeof value === 'function', {
      error: 'a function that gives { username, password }, or a promise of them',
    })
    .optional(),
  healthCheckIntervalMs: z
    .union([z.literal(false), timerMs(100)], {
      error: 'false, or a whole number of ms, 100 to 2147483647',
    })
    .optional(),
});

export const connection = z
  .custom(
    (value) =>
      isUrl(value) ||
      typeof value === 'function' ||
      (typeof value === 'object' && value !== null && !Array.isArray(value)),
    { error: forms },
  )
  .superRefine((value, context) => {
    const refuse = (message: string, path: PropertyKey[] = []): void =>
      context.addIssue({ code: 'custom', message, path });
    if (typeof value === 'string' && /[?&]keyPrefix=/.test(value)) refuse(tornApart);
    if (typeof value !== 'object' || value === null) return;
    if (isCluster(value)) refuse(`${forms}; Redis Cluster is not supported yet`);
    if (hasKeyPrefix(value)) refuse(tornApart);
    if (isRedisInstance(value)) return;
    for (const { message, path } of inOptions.safeParse(value).error?.issues ?? []) {
      refuse(message, path);
    }
  })
  .optional();

const isCluster = (value: object): boolean =>
  isRedisInstance(value) ? value.isCluster : 'cluster' in value;

/** Whether ioredis would put something before each key. */
export function hasKeyPrefix(value: unknown): boolean {
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
