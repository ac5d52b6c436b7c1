import { afterAll, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';

import { startRedis, type StartedRedis, type StartRedisOptions } from '../../lib/testing/index.js';

/** The Redis of a spec file. It is available from `beforeAll` on, and gone after `afterAll`. */
export interface RedisForTests {
  readonly url: string;
  /** A connection for inspecting Redis. */
  readonly client: Redis;
  readonly server: StartedRedis;
  /** One more connection, closed at the end with the others. */
  connect(): Redis;
}

/** Installing a server takes longer than starting one. */
const START_WITHIN_MS = 300_000;

/**
 * Starts one Redis for all tests of the file or `describe` that calls it, and stops it after them. Use fresh
 * names in each test: with `REDIS_URL` the server is also shared with other files.
 *
 * @param options Asks for a separate server, to kill or to configure.
 * @example
 * const redis = redisForTests();
 * it('…', async () => {
 *   const app = await start({ connection: redis.url, keyPrefix: freshPrefix() });
 * });
 */
export function redisForTests(options?: StartRedisOptions): RedisForTests {
  let server: StartedRedis | undefined;
  let client: Redis | undefined;
  const connections: Redis[] = [];

  const running = (): StartedRedis => {
    if (server === undefined) {
      throw new Error('redisForTests: Redis is available only in tests and hooks');
    }
    return server;
  };
  const connect = (): Redis => {
    const connection = new Redis(running().url);
    // Tests that take Redis away expect this; the failing command reports it.
    connection.on('error', () => undefined);
    connections.push(connection);
    return connection;
  };

  beforeAll(async () => {
    server = await startRedis(options);
  }, START_WITHIN_MS);
  afterAll(async () => {
    connections.forEach((connection) => connection.disconnect());
    await server?.stop();
  });

  return {
    get url() {
      return running().url;
    },
    get client() {
      return (client ??= connect());
    },
    get server() {
      return running();
    },
    connect,
  };
}
