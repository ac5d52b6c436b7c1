import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Redis } from 'ioredis';

import { ownRedis } from '../support/own-redis.js';
import { type SentinelRedis, startSentinelRedis } from '../support/sentinel-redis.js';
import { sentinelProgram } from '../support/sentinels.js';
import { conformanceSuite } from './conformance-suite.js';
import type { ServersUnderTest } from './servers-under-test.js';

const canRun = (await ownRedis()) === 'process' && (await sentinelProgram()) !== undefined;
const [withSentinels, title] = canRun
  ? [describe, 'Sentinel']
  : [describe.skip, 'skipped: a redis-server on the PATH is needed'];

/** What only the primary has is refused, soon after its replicas stopped answering. */
const SAFE = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'];

/** One primary, two replicas and three sentinels. To restart the broker means a failover. */
function watched(args: readonly string[]): ServersUnderTest {
  let redis: SentinelRedis | undefined;
  let client: Redis | undefined;
  const there = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error('the servers are there in tests and hooks only');
    return value;
  };
  beforeAll(async () => {
    redis = await startSentinelRedis([...SAFE, ...args]);
    client = redis.connect();
    // The connection that dies with it is replaced; the failing command reports it.
    client.on('error', () => undefined);
  });
  afterAll(async () => {
    client?.disconnect();
    await redis?.stop();
  });
  return {
    get connection() {
      return there(redis).connection;
    },
    get client() {
      return there(client);
    },
    restart: () => there(redis).failOver(),
  };
}

withSentinels(title, () => {
  conformanceSuite({ name: 'one primary, two replicas and three sentinels', servers: watched });
});
