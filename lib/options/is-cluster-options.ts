import type { ClusterConnectionOptions } from './connection-option.js';
import { isRedisInstance } from './is-redis-instance.js';

/** Whether `value` says where a cluster is. */
export const isClusterOptions = (value: unknown): value is ClusterConnectionOptions =>
  typeof value === 'object' && value !== null && 'cluster' in value && !isRedisInstance(value);
