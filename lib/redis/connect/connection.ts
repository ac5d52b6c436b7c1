import { Redis, type RedisOptions } from 'ioredis';
import {
  type AddedConnectionOptions,
  type ConnectionOption,
  type ConnectionRole,
  isClusterOptions,
  isRedisInstance,
} from '../../options/connection-option.js';
import { AskingRedis } from './asking-redis.js';
import { asClient, clusterOf } from './cluster-client.js';
import { followNodes, makeCluster } from './cluster-connection.js';
import { keepHealthy } from './connection-health.js';
import { madeByFactory } from './made-by-factory.js';
import { namingKeys } from '../server/missing-right.js';
import { hideSecrets } from '../server/redis-errors.js';
import { defaultOptions, MADE_HERE, neededOptions } from './role-options.js';

/** A connection, and whether it is ours to close. */
export interface Connection {
  readonly client: Redis;
  readonly owned: boolean;
  /** What went wrong last with one that is ours. */
  readonly lastError?: () => unknown;
}

/** How long an answer may be overdue, and how often a connection is asked for a sign of life. */
const ANSWER_MS = 10_000;
const HEALTH_CHECK_MS = 10_000;

/**
 * A connection for `role`, not opened yet where it is made here. An instance that the user gave is used as it is, but
 * never for blocking: for that it is duplicated.
 *
 * @param name shown by `CLIENT LIST`
 * @param blockMs how long its commands wait in Redis
 */
export function connectionFor(
  option: ConnectionOption,
  role: ConnectionRole,
  name: string,
  blockMs = 0,
): Connection {
  if (isRedisInstance(option) && role !== 'blocking') {
    return { client: asClient(option), owned: false };
  }
  return madeHere(makeClient(option, role, name), option, blockMs);
}

/** One that was made here: what goes wrong with it is kept, and that it died without a word is noticed. */
export function madeHere(client: Redis, option: ConnectionOption, blockMs: number): Connection {
  let lastError: unknown;
  const onError = (error: unknown): void => {
    hideSecrets(error);
    lastError = error;
  };
  const connection = { client, owned: true, lastError: () => lastError };
  const { healthCheckIntervalMs = HEALTH_CHECK_MS } = extrasOf(option);
  const cluster = clusterOf(client);
  if (cluster !== undefined) {
    const answerMs = cluster.options.redisOptions?.socketTimeout ?? ANSWER_MS;
    followNodes(cluster, healthCheckIntervalMs, answerMs, onError);
    return connection;
  }
  client.on('error', onError);
  const { options } = client;
  if (options.socketTimeout !== undefined) {
    // While a read waits in Redis, nothing is overdue. In a URL it is text.
    options.socketTimeout = Number(options.socketTimeout) + blockMs;
  }
  options.reconnectOnError = namingKeys(options.reconnectOnError);
  if (healthCheckIntervalMs !== false) {
    keepHealthy(client, healthCheckIntervalMs, options.socketTimeout ?? ANSWER_MS + blockMs);
  }
  return connection;
}

function makeClient(option: ConnectionOption, role: ConnectionRole, name: string): Redis {
  const ours = { ...MADE_HERE, ...neededOptions(role, name) };
  if (isRedisInstance(option)) return asClient(option).duplicate(ours);
  if (isClusterOptions(option)) return asClient(makeCluster(option, role, name));
  const defaults = defaultOptions(typeof option === 'object' && option.sentinels != null);
  if (typeof option === 'function') {
    return madeByFactory(option, { role, name, options: { ...defaults, ...ours } });
  }
  if (typeof option === 'string') return new Redis(option, { ...defaults, ...ours });
  const { url, credentials, healthCheckIntervalMs: _, ...its } = option;
  const options = { ...defaults, ...given(its), ...ours };
  if (credentials !== undefined) return new AskingRedis(url, options, credentials);
  return url === undefined ? new Redis(options) : new Redis(url, options);
}

/** What was set of what ioredis does not know. */
export const extrasOf = (option: ConnectionOption): AddedConnectionOptions =>
  typeof option === 'object' && !isRedisInstance(option) ? option : {};

/** Without what is `undefined`: that is to say nothing. */
const given = (options: RedisOptions): RedisOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** Begins to connect where nobody has, without waiting for it. */
export function openConnection({ client }: Connection): void {
  // A first attempt that fails is followed by others; the 'error' event tells of it.
  if (client.status === 'wait') client.connect().catch(() => undefined);
}

/** Drops the connection where it is ours, with whatever still waits on it. */
export function dropConnection({ client, owned }: Connection): void {
  if (owned) client.disconnect();
}
