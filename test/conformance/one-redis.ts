import { redisForTests } from '../support/redis-for-tests.js';
import type { Configuration } from './configuration.js';
import type { ServersUnderTest } from './servers-under-test.js';

/** One Redis: that of the file, or with `args` or a `binary` a separate one. Call it in a `describe`. */
export function oneRedis(
  { binary, args: serverArgs, connection, connectionOptions }: Configuration,
  more: readonly string[] = [],
): ServersUnderTest {
  const args = [...more, ...(serverArgs ?? [])];
  const program = {
    ...(binary === undefined ? {} : { binary }),
    ...(args.length === 0 ? {} : { args }),
  };
  const redis = redisForTests(Object.keys(program).length === 0 ? undefined : program);
  return {
    get connection() {
      return (
        connection ??
        (connectionOptions === undefined ? redis.url : { url: redis.url, ...connectionOptions })
      );
    },
    get client() {
      return redis.client;
    },
    async restart() {
      await redis.server.process?.kill();
      await redis.server.process?.restart();
    },
  };
}
