import type { Redis } from 'ioredis';
import { InvalidOptionsError } from '../../errors/options.errors.js';
import {
  type ConnectionFactory,
  type ConnectionRequest,
  hasKeyPrefix,
  isRedisInstance,
} from '../../options/connection-option.js';
import { asClient } from './cluster-client.js';
import { clusterNeeds, nodeNeeds } from './cluster-connection.js';
import { neededOptions } from './role-options.js';

/** What came out of factories: each connection is for one purpose. */
const given = new WeakSet<object>();

/** @throws InvalidOptionsError where it gave something else than a new connection */
export function madeByFactory(factory: ConnectionFactory, request: ConnectionRequest): Redis {
  const client: unknown = factory(request);
  const refuse = (what: string): never => {
    throw new InvalidOptionsError('connection()', what, 'a new ioredis instance at each call');
  };
  if (client instanceof Promise) return refuse('a promise');
  if (!isRedisInstance(client)) return refuse('something else');
  if (hasKeyPrefix(client)) return refuse('an instance with a keyPrefix');
  if (given.has(client)) return refuse('an instance that it gave before');
  given.add(client);
  // ioredis reads these when it needs them: a factory that left them out works all the same.
  const { role, name } = request;
  if (client.isCluster) {
    Object.assign(client.options, clusterNeeds(role));
    client.on('+node', ({ options }: Redis) => Object.assign(options, nodeNeeds(role, name)));
  } else {
    Object.assign(client.options, neededOptions(role, name));
  }
  return asClient(client);
}
