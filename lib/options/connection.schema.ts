import { z } from 'zod';
import {
  harmfulOption,
  hasKeyPrefix,
  isClusterOptions,
  isRedisInstance,
} from './connection-option.js';
import { nearest } from './nearest.js';
import { callable, timerMs } from './option-kinds.js';

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

const text = (error: string) => z.string({ error }).min(1, { error }).nullish();
/** A whole number, or its digits: ioredis takes numbers from environment variables as they are. */
const wholeOrDigits = (most: number, error: string) =>
  z
    .custom(
      (value) =>
        (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) &&
        Number.isInteger(Number(value)) &&
        Number(value) >= 0 &&
        Number(value) <= most,
      { error },
    )
    .nullish();

/** The options that say where Redis is and who asks. ioredis would take a wrong value for a missing one. */
const connectionOptions = z.looseObject({
  url: z.custom(isUrl, { error: 'a redis:// or rediss:// URL' }).optional(),
  host: text('the name or the address of a host'),
  port: wholeOrDigits(65_535, 'a port, 0 to 65535'),
  db: wholeOrDigits(2_147_483_647, 'the number of a database, 0 or more'),
  path: text('the path of a socket'),
  username: z.string({ error: 'text' }).nullish(),
  password: z.string({ error: 'text' }).nullish(),
  sentinels: z
    .array(z.looseObject({}), { error: 'a list of { host, port }' })
    .min(1, { error: 'one sentinel or more' })
    .nullish(),
  name: text('the name of the primary that the sentinels know'),
  tls: z
    .union([z.boolean(), z.looseObject({})], {
      error: 'an object of TLS options, {} for those of Node',
    })
    .nullish(),
  ...addedShape,
});

/** The options of ioredis 5 and 6. Others are taken as they are, unless one of these was meant. */
const OF_IOREDIS = [
  ...Object.keys(connectionOptions.shape),
  'Connector',
  'autoPipeliningIgnoredCommands',
  'autoResendUnfulfilledCommands',
  'autoResubscribe',
  'blockingTimeout',
  'blockingTimeoutGrace',
  'clientInfoTag',
  'commandTimeout',
  'connectTimeout',
  'connectionName',
  'disableClientInfo',
  'disconnectTimeout',
  'enableAutoPipelining',
  'enableOfflineQueue',
  'enableReadyCheck',
  'enableTLSForSentinelMode',
  'failoverDetector',
  'family',
  'himportFieldsets',
  'keepAlive',
  'keyPrefix',
  'lazyConnect',
  'maxLoadingRetryTime',
  'maxRetriesPerRequest',
  'monitor',
  'natMap',
  'noDelay',
  'preferredSlaves',
  'protocol',
  'readOnly',
  'reconnectOnError',
  'replyMapping',
  'retryStrategy',
  'role',
  'scripts',
  'sentinelCommandTimeout',
  'sentinelMaxConnections',
  'sentinelPassword',
  'sentinelReconnectStrategy',
  'sentinelRetryStrategy',
  'sentinelTLS',
  'sentinelUsername',
  'showFriendlyErrorStack',
  'socketTimeout',
  'stringNumbers',
  'updateSentinels',
];

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
    const isCluster = isClusterOptions(value);
    const schema = isCluster ? clusterOptions : connectionOptions;
    for (const { message, path } of schema.safeParse(value).error?.issues ?? []) {
      refuse(message, path);
    }
    if (isCluster) return;
    for (const key of Object.keys(value).filter((each) => !OF_IOREDIS.includes(each))) {
      const meant = nearest(key, OF_IOREDIS);
      if (meant !== undefined) refuse(`nothing of this name; did you mean ${meant}?`, [key]);
    }
  })
  .optional();
