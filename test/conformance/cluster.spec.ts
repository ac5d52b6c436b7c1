import { describe } from '@jest/globals';

import { asClient } from '../../lib/redis/connect/cluster-client.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { conformanceSuite } from './conformance-suite.js';
import type { ServersUnderTest } from './servers-under-test.js';

const [withCluster, title] = (await canHaveCluster())
  ? [describe, 'Redis Cluster']
  : [describe.skip, 'skipped: a redis-server of our own is needed'];

/** Three masters and three replicas. To restart the broker, all masters are killed at once. */
function cluster(args: readonly string[]): ServersUnderTest {
  const servers = clusterForTests(args);
  return {
    get connection() {
      return servers.redis.connection;
    },
    get client() {
      return asClient(servers.redis.client);
    },
    async restart() {
      const roles = await Promise.all(servers.redis.nodes.map(({ client }) => client.role()));
      const masters = servers.redis.nodes.filter((_, index) => roles[index]?.[0] === 'master');
      await Promise.all(masters.map(({ server }) => server.process?.kill()));
      // Before the others agree that they are gone: these have everything that was confirmed.
      await Promise.all(masters.map(({ server }) => server.process?.restart()));
    },
  };
}

withCluster(title, () => {
  conformanceSuite({ name: 'three masters and three replicas', servers: cluster });
});
