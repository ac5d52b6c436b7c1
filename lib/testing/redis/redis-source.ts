/**
 * Where a Redis of `startRedis` came from: `REDIS_URL`, a server program on the PATH, a Docker container, or a server
 * program that was installed with `apt-get` first.
 */
export type RedisSource = 'url' | 'binary' | 'docker' | 'apt';
