import { aptSource, binarySource, dockerSource, urlSource } from './sources.js';
import {
  type FailedWay,
  RedisNotFoundError,
  RedisStartError,
  type StartedRedis,
  type StartRedisOptions,
} from './started-redis.js';

const SOURCES = [urlSource, binarySource, dockerSource, aptSource];

/**
 * Gives a real Redis for a test or a first try, from the first of these sources that works:
 *
 * 1. the server of the environment variable `REDIS_URL`, unless options are given;
 * 2. `redis-server` or `valkey-server` on the PATH, started empty on a free port of 127.0.0.1, without persistence; it ends
 *    with this process, however that ends;
 * 3. a container, if the package `testcontainers` is installed and a Docker engine answers;
 * 4. as root on Debian or Ubuntu, `redis-server` installed with `apt-get`, which is reported on stderr.
 *
 * If `REDIS_URL` is set and does not answer, that is an error: no other source is tried.
 *
 * @throws {@link RedisNotFoundError} if no source gives a Redis of version 6.2 or newer; it says why for each
 * @example
 * const redis = await startRedis();
 * const app = await NestFactory.create(AppModule.register({ connection: redis.url }));
 * // …
 * await app.close();
 * await redis.stop();
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<StartedRedis> {
  const failed: FailedWay[] = [];
  for (const source of SOURCES) {
    try {
      return await source.start(options, failed);
    } catch (error) {
      if (!(error instanceof RedisStartError)) throw error;
      failed.push({ way: source.name, reason: error.message });
    }
  }
  throw new RedisNotFoundError(failed);
}
