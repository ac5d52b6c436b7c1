import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { InvalidOptionsError } from '../../errors/redis-streams.error.js';
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
} from '../../options/connection-option.js';
import { withKeysNamed } from '../server/missing-rights.js';
import { asClient } from './cluster-client.js';
import { ClusterWithCredentials, RedisWithCredentials } from './credentials.js';
import {
  defaultOptions,
  neededClusterOptions,
  neededNodeOptions,
  neededOptions,
  OWN_OPTIONS,
} from './role-options.js';

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

/** Clients that factories returned before. Each connection has one purpose, so none may be shared. */
const fromFactories = new WeakSet<object>();

/** @throws InvalidOptionsError if it returns anything but a new connection */
function callFactory(factory: ConnectionFactory, request: ConnectionRequest): Redis {
  const client: unknown = factory(request);
  const refuse = (what: string): never => {
    throw new InvalidOptionsError('connection()', what, 'a new ioredis instance at each call');
  };
  if (client instanceof Promise) return refuse('a promise');
  if (!isRedisInstance(client)) return refuse('something else');
  if (hasKeyPrefix(client)) return refuse('an instance with a keyPrefix');
  if (fromFactories.has(client)) return refuse('an instance that it gave before');
  fromFactories.add(client);
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
