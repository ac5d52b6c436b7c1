import type { ClusterConnectionOptions } from './connection-option.js';
import { isRedisInstance } from './is-redis-instance.js';

/** Whether `value` says where a cluster is. */
export const isClusterOptions = (value: unknown): value is ClusterConnectionOptions =>
  typeof value === 'object' && value !== null && 'cluster' in value && !isRedisInstance(value);

/** Whether ioredis would put a prefix before each key. */
export function hasKeyPrefix(value: unknown): boolean {
  if (isRedisInstance(value)) return isSet(value.options, 'keyPrefix');
  const its = isClusterOptions(value) ? value.options : value;
  const inNodes = isSet(its, 'redisOptions') ? Reflect.get(Object(its), 'redisOptions') : undefined;
  return isSet(its, 'keyPrefix') || isSet(inNodes, 'keyPrefix');
}

/** Whether an object has an option that is not empty. */
export const isSet = (value: unknown, name: string): boolean =>
  typeof value === 'object' && value !== null && Boolean(Reflect.get(value, name));
