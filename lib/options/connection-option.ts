import type { Redis, RedisOptions } from 'ioredis';

/**
 * Where Redis is: a URL (`redis://user:password@host:6379/0`, `rediss://` for TLS), ioredis options, or an ioredis
 * instance. An instance stays the caller's: it carries the commands, is never used to block, and is never closed.
 */
export type ConnectionOption = string | RedisOptions | Redis;
