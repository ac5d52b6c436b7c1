import { z } from 'zod';
import {
  harmfulOption,
  hasKeyPrefix,
  isClusterOptions,
  isRedisInstance,
} from './connection-option.js';
import { callable, timerMs } from './check-options.js';

// Without this check, an unreadable URL would be an error of Node that contains the URL with its password.
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

const FORMS =
  'a redis:// or rediss:// URL, ioredis options, { cluster }, a function that makes connections, or an ioredis instance';
const NO_KEY_PREFIX =
  'no keyPrefix of ioredis, which would tear the keys of a stream apart: use the option "keyPrefix" here';

const addedShape = {
  credentials: callable('a function that gives { username, password }, or a promise of them'),
  healthCheckIntervalMs: z
    .union([z.literal(false), timerMs(100)], {
      error: 'false, or a whole number of ms, 100 to 2147483647',
    })
    .optional(),
};

const connectionOptions = z.looseObject({
  url: z.custom(isUrl, { error: 'a redis:// or rediss:// URL' }).optional(),
  ...addedShape,
});

const port = z.int().min(1).max(65_535);
const node = z.union(
  [port, z.custom(isUrl), z.looseObject({ host: z.string(), port: port.optional() })],
  { error: '{ host, port }, a redis:// or rediss:// URL, or a port' },
);

const clusterOptions = z.strictObject(
  {
    cluster: z.array(node, { error: 'a list of nodes' }).min(1, { error: 'one node or more' }),
    options: z.looseObject({}, { error: 'options of ioredis for a cluster' }).optional(),
    ...addedShape,
  },
  { error: 'cluster, options, credentials and healthCheckIntervalMs, and nothing else' },
);

/** The schema of a {@link ConnectionOption}. */
export const connection = z
  .custom(
    (value) =>
      isUrl(value) ||
      typeof value === 'function' ||
      (typeof value === 'object' && value !== null && !Array.isArray(value)),
    { error: FORMS },
  )
  .superRefine((value, context) => {
    const refuse = (message: string, path: PropertyKey[] = []): void =>
      context.addIssue({ code: 'custom', message, path });
    if (typeof value === 'string' && /[?&]keyPrefix=/.test(value)) refuse(NO_KEY_PREFIX);
    if (typeof value !== 'object' || value === null) return;
    if (hasKeyPrefix(value)) refuse(NO_KEY_PREFIX);
    if (isRedisInstance(value)) {
      const harm = harmfulOption(value);
      if (harm !== undefined) refuse(harm);
      return;
    }
    const schema = isClusterOptions(value) ? clusterOptions : connectionOptions;
    for (const { message, path } of schema.safeParse(value).error?.issues ?? []) {
      refuse(message, path);
    }
  })
  .optional();
