import type { Redis } from 'ioredis';

import type { ConnectionOption } from '../../lib/index.js';
import { redisForTests } from '../support/redis-for-tests.js';
import type { Configuration } from './configuration.js';

/** What a configuration runs on. It is there in tests and hooks. */
export interface ServersUnderTest {
  /** How consumers and publishers connect. */
  readonly connection: ConnectionOption;
  /** To look into Redis with, also after `restart()`. */
  readonly client: Redis;
  /** Ends what holds the messages the hard way, and sees to it that they are to be had again. */
  restart(): Promise<void>;
}

/** One Redis: that of the file, or with `args` or a `binary` one of its own. To be called in a `describe`. */
export function oneRedis(
  { binary, args: its, connection }: Configuration,
  more: readonly string[] = [],
): ServersUnderTest {
  const args = [...more, ...(its ?? [])];
  const program = {
    ...(binary === undefined ? {} : { binary }),
    ...(args.length === 0 ? {} : { args }),
  };
  const redis = redisForTests(Object.keys(program).length === 0 ? undefined : program);
  return {
    get connection() {
      return connection ?? redis.url;
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
