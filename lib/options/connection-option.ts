import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';

/** Who a connection is for Redis. */
export interface Credentials {
  /** @default the user "default" */
  readonly username?: string | undefined;
  /** A password or a token. */
  readonly password: string;
}

/** What this package adds to the options of ioredis. */
export interface AddedConnectionOptions {
  /**
   * Gives the credentials each time before a connection is made, also when it is made anew: for tokens that end. Where it
   * fails or takes longer than `connectTimeout`, that is logged, and it is asked again. Its errors are logged: keep secrets
   * out of them.
   *
   * @default none: `username` and `password`
   */
  credentials?: () => Credentials | Promise<Credentials>;
  /**
   * How long after an answer a connection is asked for a sign of life (`PING`), in ms, 100 or more. One that owes an answer for
   * longer than `socketTimeout` (10 000 ms where that is not set) is replaced. Shorter notices sooner that a connection
   * died without a word; `false` leaves it to the operating system, which may take a quarter of an hour.
   *
   * @default 10_000
   */
  healthCheckIntervalMs?: number | false;
}

/** The options of ioredis, and what this package adds. */
export interface ConnectionOptions extends RedisOptions, AddedConnectionOptions {
  /**
   * Host, port, user and database as a URL, beside other options; what is given twice is taken from the options.
   *
   * @default none
   */
  url?: string;
}

/** A Redis Cluster. */
export interface ClusterConnectionOptions extends AddedConnectionOptions {
  /**
   * Some of its nodes, one or more, as ioredis takes them: `{ host, port }` or a URL. The others are found through these, also
   * when a connection is made anew, so name such as will not all be gone at once.
   */
  cluster: ClusterNode[];
  /**
   * Options of ioredis for the cluster. What holds for each connection is in `redisOptions`: user and password, TLS, timeouts.
   * Reads go to masters, whatever is set.
   *
   * @default ioredis's own
   */
  options?: ClusterOptions;
}

/** What a connection is for; it decides what happens to its commands when it drops. */
export type ConnectionRole = 'commands' | 'blocking' | 'publish' | 'operator';

/** ioredis options with replies in the one form that this package reads. */
export type LegacyOptions = RedisOptions & { replyMapping: 'legacy' };

/** What a {@link ConnectionFactory} is asked for. */
export interface ConnectionRequest {
  /** `commands` and `blocking` of a server, `publish` of a client, `operator` of `DeadLetters`. */
  readonly role: ConnectionRole;
  /** How Redis shall call it (`CLIENT LIST`). */
  readonly name: string;
  /** What a connection of this role needs: give it to ioredis after your own options. */
  readonly options: LegacyOptions;
}

/**
 * Makes a connection, a new one at each call and at once. It is closed by who asked for it.
 *
 * @example
 * ```ts
 * connection: ({ options }) => new Redis({ host: 'redis', ...options });
 * ```
 */
export type ConnectionFactory = (request: ConnectionRequest) => Redis | Cluster;

/**
 * Where Redis is: a URL (`redis://user:password@host:6379/0`, `rediss://` for TLS), ioredis options (with `sentinels` and
 * `name` for Sentinel), `{ cluster }` for Redis Cluster, a function that makes connections, or an ioredis instance, also of
 * `Cluster`. An instance stays the caller's: it carries the commands, is never used to block, and is never closed.
 */
export type ConnectionOption =
  string | ConnectionOptions | ClusterConnectionOptions | ConnectionFactory | Redis | Cluster;
