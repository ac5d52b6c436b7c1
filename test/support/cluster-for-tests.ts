import { afterAll, beforeAll } from '@jest/globals';

import { type ClusterRedis, startClusterRedis } from './cluster-redis.js';
import { ownRedis } from './own-redis.js';

/** Whether this machine can have one: for `describe.skip` at the top of a file. */
export const canHaveCluster = async (): Promise<boolean> => (await ownRedis()) === 'process';

/** Starts one cluster for all tests of the `describe` that calls it, and stops it after them. */
export function clusterForTests(args: readonly string[] = []): { readonly redis: ClusterRedis } {
  let redis: ClusterRedis | undefined;
  beforeAll(async () => {
    redis = await startClusterRedis(args);
  }, 60_000);
  afterAll(async () => {
    await redis?.stop();
  }, 30_000);
  return {
    get redis() {
      if (redis === undefined) throw new Error('The cluster is there in tests and hooks only');
      return redis;
    },
  };
}
