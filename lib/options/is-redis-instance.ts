import type { Cluster, Redis } from 'ioredis';

/**
 * Whether `value` is an ioredis instance, of a connection or of a cluster. By what it can do and not by its class, since an app may have another
 * copy of ioredis than this package.
 */
export function isRedisInstance(value: unknown): value is Redis | Cluster {
  return (
    typeof value === 'object' &&
    value !== null &&
    'duplicate' in value &&
    typeof value.duplicate === 'function' &&
    'sendCommand' in value &&
    typeof value.sendCommand === 'function'
  );
}
