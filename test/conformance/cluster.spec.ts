import { describe } from '@jest/globals';

import { asClient } from '../../lib/redis/cluster-client.js';
import {
  canHaveCluster,
  type ClusterForTests,
  clusterForTests,
} from '../support/cluster-for-tests.js';
import type { RedisForTests } from '../support/redis-for-tests.js';
import { conformanceSuite } from './conformance-suite.js';

const [withCluster, title] = (await canHaveCluster())
  ? [describe, 'Redis Cluster']
  : [describe.skip, 'skipped: a redis-server of our own is needed'];

withCluster(title, () => {
  const clusters: ClusterForTests[] = [];
  /** A cluster in the place of one server: where that is killed, all masters are. */
  const inPlaceOfOne = (args: readonly string[]): RedisForTests => {
    const its = clusterForTests(args);
    clusters.push(its);
    const masters = async () => {
      const roles = await Promise.all(its.redis.nodes.map(({ client }) => client.role()));
      return its.redis.nodes.filter((_, index) => roles[index]?.[0] === 'master');
    };
    let killed: Awaited<ReturnType<typeof masters>> = [];
    const process = {
      pid: undefined,
      dir: '',
      kill: async () => {
        killed = await masters();
        await Promise.all(killed.map(({ server }) => server.process?.kill()));
      },
      // Before the others agree that they are gone: these have all that was confirmed.
      restart: async () => {
        await Promise.all(killed.map(({ server }) => server.process?.restart()));
      },
    };
    return {
      url: '',
      get client() {
        return asClient(its.redis.client);
      },
      get server() {
        const { host, port } = its.redis.connection.cluster[0] ?? { host: '', port: 0 };
        const source = 'binary' as const;
        return { url: '', host, port, source, process, stop: () => Promise.resolve() };
      },
      connect: () => asClient(its.redis.client),
    };
  };
  conformanceSuite({
    name: 'three masters and three replicas',
    servers: inPlaceOfOne,
    get connection() {
      return clusters.find(({ isThere }) => isThere)?.redis.connection;
    },
  });
});
