import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';

/** What a connection authenticates with. */
export interface Credentials {
  /** @default the user "default" */
  readonly username?: string | undefined;
  /** A password or a token. */
  readonly password: string;
}

/** What this package adds to the options of ioredis. */
export interface AddedConnectionOptions {
  /**
   * Returns the credentials. Called each time before a connection is made, reconnects included: for tokens that expire. If it
   * fails or takes longer than `connectTimeout`, that is logged and it is called again. Its errors are logged: keep secrets
   * out of them.
   *
   * @default none: `username` and `password`
   */
  credentials?: () => Credentials | Promise<Credentials>;
  /**
   * How long after the last answer a connection is checked with a `PING`, in ms, 100 to 2_147_483_647. A connection that owes an answer
   * for longer than `socketTimeout` (10 000 ms if that is not set) is replaced. A shorter interval notices sooner that a
   * connection died silently; `false` leaves it to the operating system, which may take a quarter of an hour.
   *
   * @default 10_000
   */
  healthCheckIntervalMs?: number | false;
}

/** The options of ioredis, and what this package adds. */
export interface ConnectionOptions extends RedisOptions, AddedConnectionOptions {
  /**
   * Host, port, user and database as a URL, together with other options. What is given twice is taken from the options.
   *
   * @default none
   */
  url?: string;
}

/** A Redis Cluster. */
export interface ClusterConnectionOptions extends AddedConnectionOptions {
  /**
   * Some of its nodes, one or more, as ioredis takes them: `{ host, port }` or a URL. The other nodes are found through these,
   * also on a reconnect, so name nodes that will not all be gone at once.
   */
  cluster: ClusterNode[];
  /**
   * Options of ioredis for the cluster. What applies to each connection is in `redisOptions`: user and password, TLS, timeouts.
   * Reads always go to masters.
   *
   * @default ioredis's own
   */
  options?: ClusterOptions;
}

/** What a connection is for. This decides what happens to its commands when it drops. */
export type ConnectionRole = 'commands' | 'blocking' | 'publish' | 'operator';

/** ioredis options with replies in the one form that this package reads. */
export type LegacyOptions = RedisOptions & { replyMapping: 'legacy' };

/** What a {@link ConnectionFactory} is asked for. */
export interface ConnectionRequest {
  /** `commands` and `blocking` of a server, `publish` of a client, `operator` of `DeadLetters`. */
  readonly role: ConnectionRole;
  /** The connection's name in Redis (`CLIENT LIST`). */
  readonly name: string;
  /** What a connection of this role needs: give it to ioredis after your own options. */
  readonly options: LegacyOptions;
}

/**
 * Makes a new connection at each call, synchronously. Whoever called it closes the connection.
 *
 * @example
 * ```ts
 * connection: ({ options }) => new Redis({ host: 'redis', ...options });
 * ```
 */
export type ConnectionFactory = (request: ConnectionRequest) => Redis | Cluster;

/**
 * How to reach Redis: a URL (`redis://user:password@host:6379/0`, `rediss://` for TLS), ioredis options (with `sentinels` and
 * `name` for Sentinel), `{ cluster }` for Redis Cluster, a function that makes connections, or an ioredis instance, also of
 * `Cluster`. An instance stays the caller's: it carries the commands, is never used to block, and is never closed.
 */
export type ConnectionOption =
  string | ConnectionOptions | ClusterConnectionOptions | ConnectionFactory | Redis | Cluster;

/**
 * Whether `value` is an ioredis instance, of a connection or of a cluster. Decided by its methods and not by its class, since
 * an app may have another copy of ioredis than this package.
 */
export const isRedisInstance = (value: unknown): value is Redis | Cluster =>
  typeof value === 'object' &&
  value !== null &&
  'duplicate' in value &&
  typeof value.duplicate === 'function' &&
  'sendCommand' in value &&
  typeof value.sendCommand === 'function';

/** Whether `value` holds the nodes of a cluster. */
export const isClusterOptions = (value: unknown): value is ClusterConnectionOptions =>
  typeof value === 'object' && value !== null && 'cluster' in value && !isRedisInstance(value);

/** Whether ioredis would put a prefix before each key. */
export const hasKeyPrefix = (value: unknown): boolean =>
  allOptions(value).some((options) => isSet(options, 'keyPrefix'));

/** The option of an ioredis instance that this package cannot work with, and why, or undefined if it has none. */
export function harmfulOption(instance: Redis | Cluster): string | undefined {
  const options = allOptions(instance);
  const has = (name: string): boolean => options.some((some) => isSet(some, name));
  if (has('stringNumbers')) return 'no stringNumbers of ioredis, which turns counts into text';
  if (has('enableAutoPipelining')) {
    return 'no enableAutoPipelining of ioredis, which delays commands and changes their order';
  }
  if (options.some((some) => Reflect.get(Object(some), 'replyMapping') === 'resp3')) {
    return 'replyMapping "legacy" of ioredis: with "resp3", replies have another form';
  }
  const { scaleReads } = Object(instance.options);
  if (scaleReads !== undefined && scaleReads !== 'master') {
    return 'no scaleReads of ioredis but "master": what replicas know may be old';
  }
  return undefined;
}

/** The options of ioredis that a connection has, and in a cluster those for its nodes. */
function allOptions(value: unknown): readonly unknown[] {
  const hasOptions = isRedisInstance(value) || isClusterOptions(value);
  const options = hasOptions ? value.options : value;
  return [options, Reflect.get(Object(options), 'redisOptions')];
}

/** Whether an object has an option that is not empty. */
const isSet = (value: unknown, name: string): boolean =>
  typeof value === 'object' && value !== null && Boolean(Reflect.get(value, name));
