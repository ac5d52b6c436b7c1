import { z } from 'zod';
import { hasKeyPrefix, isClusterOptions, isSet } from './is-cluster-options.js';
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
  'a redis:// or rediss:// URL, ioredis options, { cluster }, a function that makes connections, or an ioredis instance';

const tornApart =
  'no keyPrefix of ioredis, which would tear the keys of a stream apart: use the option "keyPrefix" here';

const oldReads = 'no scaleReads of ioredis but "master": what replicas know may be old';

const added = {
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
};

const inOptions = z.looseObject({
  url: z.custom(isUrl, { error: 'a redis:// or rediss:// URL' }).optional(),
  ...added,
});

const port = z.int().min(1).max(65_535);
const node = z.union(
  [port, z.custom(isUrl), z.looseObject({ host: z.string(), port: port.optional() })],
  {
    error: '{ host, port }, a redis:// or rediss:// URL, or a port',
  },
);

const inCluster = z.strictObject(
  {
    cluster: z.array(node, { error: 'a list of nodes' }).min(1, { error: 'one node or more' }),
    options: z.looseObject({}, { error: 'options of ioredis for a cluster' }).optional(),
    ...added,
  },
  { error: 'cluster, options, credentials and healthCheckIntervalMs, and nothing else' },
);

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
    if (hasKeyPrefix(value)) refuse(tornApart);
    if (isRedisInstance(value)) {
      if (value.isCluster && readsReplicas(value.options)) refuse(oldReads);
      return;
    }
    const shape = isClusterOptions(value) ? inCluster : inOptions;
    for (const { message, path } of shape.safeParse(value).error?.issues ?? []) {
      refuse(message, path);
    }
  })
  .optional();

const readsReplicas = (options: object): boolean =>
  isSet(options, 'scaleReads') && Reflect.get(options, 'scaleReads') !== 'master';

const keyPrefixError = 'text that Redis Cluster can hash: braces only as a tag such as "{eu}:"';
export const keyPrefix = z
  .string({ error: keyPrefixError })
  .refine((value) => isStreamName(`${value}a`), { error: keyPrefixError })
  .optional();
