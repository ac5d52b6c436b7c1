import { RedisNotFoundError } from './redis-not-found.error.js';
import { RedisStartError } from './redis-start.error.js';
import type { StartRedisOptions } from './start-redis.options.js';
import type { StartedRedis } from './started-redis.js';
import type { FailedWay } from './testing.messages.js';
import { aptWay } from './ways/apt.way.js';
import { binaryWay } from './ways/binary.way.js';
import { dockerWay } from './ways/docker.way.js';
import { urlWay } from './ways/url.way.js';

const WAYS = [urlWay, binaryWay, dockerWay, aptWay];

/**
 * Gives a real Redis for a test or a first try, by the first of these ways that works:
 *
 * 1. the server that the environment variable `REDIS_URL` names, unless options are given;
 * 2. `redis-server` or `valkey-server` on the PATH, started on a free port of 127.0.0.1 with nothing in it and nothing
 *    kept, and gone with this process, however that ends;
 * 3. a container, where the package `testcontainers` is installed and a Docker engine answers;
 * 4. as root on Debian or Ubuntu, `redis-server` installed with `apt-get`, which is said on stderr.
 *
 * A `REDIS_URL` that does not answer is an error, not passed over.
 *
 * @throws {@link RedisNotFoundError} when no way gives a Redis of version 6.2 or newer; it says why for each.
 * @example
 * const redis = await startRedis();
 * const app = await NestFactory.create(AppModule.register({ connection: redis.url }));
 * // …
 * await app.close();
 * await redis.stop();
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<StartedRedis> {
  const failed: FailedWay[] = [];
  for (const way of WAYS) {
    try {
      return await way.start(options, failed);
    } catch (error) {
      if (!(error instanceof RedisStartError)) {
        throw error;
      }
      failed.push({ way: way.name, reason: error.message });
    }
  }
  throw new RedisNotFoundError(failed);
}
