import { afterAll, beforeAll } from '@jest/globals';

import { type ClusterRedis, startClusterRedis } from './cluster-redis.js';
import { ownRedis } from './own-redis.js';

/** Whether this machine can run one: for `describe.skip` at the top of a file. */
export const canHaveCluster = async (): Promise<boolean> => (await ownRedis()) === 'process';

/** The cluster of a `describe`. */
export interface ClusterForTests {
  readonly redis: ClusterRedis;
  /** Whether it runs: between its hooks. */
  readonly isThere: boolean;
}

/** Starts one cluster for all tests of the `describe` that calls it, and stops it after them. */
export function clusterForTests(args: readonly string[] = []): ClusterForTests {
  let redis: ClusterRedis | undefined;
  beforeAll(async () => {
    redis = await startClusterRedis(args);
  });
  afterAll(async () => {
    await redis?.stop();
    redis = undefined;
  });
  return {
    get isThere() {
      return redis !== undefined;
    },
    get redis() {
      if (redis === undefined) throw new Error('The cluster is available only in tests and hooks');
      return redis;
    },
  };
}
