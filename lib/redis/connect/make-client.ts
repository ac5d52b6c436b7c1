import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { sharedSymbol } from '../../errors/copies.js';
import { InvalidOptionsError } from '../../errors/redis-streams.error.js';
import { isError } from '../../errors/thrown.js';
import { thrownText } from '../../errors/thrown-text.js';
import {
  type AddedConnectionOptions,
  type ClusterConnectionOptions,
  type ConnectionFactory,
  type ConnectionOption,
  type ConnectionRequest,
  type ConnectionRole,
  hasKeyPrefix,
  isClusterOptions,
  isRedisInstance,
  type LegacyOptions,
} from '../../options/connection-option.js';
import { withKeysNamed } from '../server/redis-errors.js';
import { asClient } from './cluster-client.js';
import { ClusterWithCredentials, RedisWithCredentials } from './credentials.js';
import { reconnectDelayMs } from './retry-until-done.js';

/**
 * Makes a client from the user's `connection` option, without opening it.
 *
 * @param name shown by `CLIENT LIST`
 */
export function makeClient(option: ConnectionOption, role: ConnectionRole, name: string): Redis {
  const fixed = { ...OWN_OPTIONS, ...neededOptions(role, name) };
  if (isRedisInstance(option)) return asClient(option).duplicate(fixed);
  if (isClusterOptions(option)) return asClient(makeCluster(option, role, name));
  const defaults = defaultOptions(typeof option === 'object' && option.sentinels != null);
  if (typeof option === 'function') {
    return callFactory(option, { role, name, options: { ...defaults, ...fixed } });
  }
  if (typeof option === 'string') return new Redis(option, { ...defaults, ...fixed });
  const { url, credentials, healthCheckIntervalMs: _, ...set } = option;
  const options = { ...defaults, ...withoutUndefined(set), ...fixed };
  if (credentials !== undefined) return new RedisWithCredentials(url, options, credentials);
  return url === undefined ? new Redis(options) : new Redis(url, options);
}

/** The connection options that ioredis does not know. */
export const addedOptions = (option: ConnectionOption): AddedConnectionOptions =>
  typeof option === 'object' && !isRedisInstance(option) ? option : {};

const withoutUndefined = (options: RedisOptions): RedisOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

function makeCluster(
  { cluster: nodes, options: set = {}, credentials }: ClusterConnectionOptions,
  role: ConnectionRole,
  name: string,
): Cluster {
  const { protocol, retryStrategy, reconnectOnError } = defaultOptions(true);
  const options = {
    clusterRetryStrategy: retryStrategy ?? null,
    ...set,
    ...neededClusterOptions(role),
    lazyConnect: true,
    redisOptions: {
      protocol: protocol ?? 2,
      ...set.redisOptions,
      ...OWN_OPTIONS,
      ...neededNodeOptions(role, name),
      reconnectOnError: withKeysNamed(set.redisOptions?.reconnectOnError ?? reconnectOnError),
    },
  };
  return credentials === undefined
    ? new Cluster(nodes, options)
    : new ClusterWithCredentials(nodes, options, credentials);
}

/** On clients that factories returned before. Each connection has one purpose, so none may be shared. */
const GIVEN_BEFORE = sharedSymbol('given by a connection factory');

/** What a factory throws need not be an error, and Nest takes what is empty for success. */
function made(factory: ConnectionFactory, request: ConnectionRequest): unknown {
  try {
    return factory(request);
  } catch (error) {
    if (isError(error)) throw error;
    throw new Error(`connection() threw no error, but ${thrownText(error)}`, { cause: error });
  }
}

/** @throws InvalidOptionsError if it returns anything but a new connection */
function callFactory(factory: ConnectionFactory, request: ConnectionRequest): Redis {
  const client: unknown = made(factory, request);
  const refuse = (what: string): never => {
    throw new InvalidOptionsError('connection()', what, 'a new ioredis instance at each call');
  };
  if (client instanceof Promise) return refuse('a promise');
  if (!isRedisInstance(client)) return refuse('something else');
  if (hasKeyPrefix(client)) return refuse('an instance with a keyPrefix');
  if (GIVEN_BEFORE in client) return refuse('an instance that it gave before');
  Object.defineProperty(client, GIVEN_BEFORE, { value: true });
  // ioredis reads these options when it needs them, so a factory that left them out works too.
  const { role, name } = request;
  if (client.isCluster) {
    Object.assign(client.options, neededClusterOptions(role));
    client.on('+node', ({ options }: Redis) =>
      Object.assign(options, neededNodeOptions(role, name)),
    );
  } else {
    Object.assign(client.options, neededOptions(role, name));
  }
  return asClient(client);
}

/** For reads and publishing: the caller gets the error at once and decides whether to try again. */
const FAIL_AT_ONCE: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
};

/** Scripts can be sent twice, so commands wait for a new connection. */
const WAIT_FOR_CONNECTION: RedisOptions = {
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: true,
  enableOfflineQueue: true,
};

const canWait = (role: ConnectionRole): boolean => role === 'commands';

/**
 * The options that this package relies on, whatever the user sets for the connection.
 *
 * @param name shown by `CLIENT LIST`
 */
export function neededOptions(role: ConnectionRole, name: string): LegacyOptions {
  return {
    ...(canWait(role) ? WAIT_FOR_CONNECTION : FAIL_AT_ONCE),
    connectionName: name.replace(/[^!-~]/g, '_'),
    // Redis may still execute a command that the client gave up, and the entries of such a read would be lost.
    commandTimeout: undefined,
    blockingTimeout: undefined,
    enableAutoPipelining: false,
    stringNumbers: false,
    // With this default, replies have the same form in RESP 2 and 3.
    replyMapping: 'legacy',
  };
}

/** The same for a cluster. */
const neededClusterOptions = (role: ConnectionRole): ClusterOptions => ({
  retryDelayOnFailover: canWait(role) ? 100 : 0,
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  // Replicas may be behind.
  scaleReads: 'master',
  // ioredis must look for a lost node under its new address instead of retrying the old one for ever.
  clusterNodeRetryStrategy: () => null,
});

/** The same for each connection to a node of a cluster. It ends when it drops, and ioredis makes another one. */
function neededNodeOptions(role: ConnectionRole, name: string): LegacyOptions {
  const { enableOfflineQueue: _, ...needed } = neededOptions(role, name);
  return needed;
}

/** Options for every connection that this package makes. */
export const OWN_OPTIONS: RedisOptions = {
  lazyConnect: true,
  // How soon to ask a Redis that is loading its data again. The default is a second, in which leases could end.
  maxLoadingRetryTime: 100,
  // Everything that waits is dealt with before we close, so a dead socket need not hold up the process.
  disconnectTimeout: 250,
};

/** Sentinels learn of a new primary within seconds, and asking them is cheap. */
const MAX_SENTINEL_DELAY_MS = 500;
const sentinelDelayMs = (attempt: number): number =>
  Math.min(reconnectDelayMs(attempt), MAX_SENTINEL_DELAY_MS);
/** How long a sentinel may take to answer before the next one is asked. */
const SENTINEL_TIMEOUT_MS = 2_000;

/** Options that the user can change. */
export function defaultOptions(hasSentinels = false): RedisOptions {
  return {
    // The same results as RESP 3, and faster to read.
    protocol: 2,
    retryStrategy: hasSentinels ? sentinelDelayMs : reconnectDelayMs,
    sentinelRetryStrategy: sentinelDelayMs,
    // By default ioredis waits for ever for a sentinel that accepts the connection and stays silent.
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    // Without it, ioredis ignores `tls` for the server that sentinels name, and connects in plain text.
    enableTLSForSentinelMode: true,
    reconnectOnError: reconnectOnReadOnly(),
  };
}

const READ_ONLY_RECONNECT_MS = 1_000;

/** If the server became a replica, the same address may lead to a new primary: reconnects, at most once a second. */
function reconnectOnReadOnly(): (error: Error) => boolean {
  let lastAt = -Infinity;
  return ({ message }) => {
    if (!message.includes('READONLY')) return false;
    if (performance.now() - lastAt < READ_ONLY_RECONNECT_MS) return false;
    lastAt = performance.now();
    return true;
  };
}
