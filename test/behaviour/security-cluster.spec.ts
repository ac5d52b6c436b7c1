import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import { ClientRedisStreams } from '../../lib/index.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { documentedRights, documentedRules } from '../support/documented-rules.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const withCluster = (await canHaveCluster()) ? describe : describe.skip;
closeAppsAfterEach();
// ioredis logs there that it may not send INFO.
beforeEach(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));
afterEach(() => void jest.restoreAllMocks());

withCluster('on a Redis Cluster, with the rules of docs/security.md', () => {
  const servers = clusterForTests();

  it('a producer publishes and a consumer handles, and neither may change the cluster', async () => {
    const onCluster = await documentedRights('On a Redis Cluster each user also needs');
    const all = (await documentedRules()).filter(({ user }) =>
      ['producer', 'consumer'].includes(user),
    );
    for (const { client } of servers.redis.nodes) {
      for (const { user, rules } of all) {
        expect(await client.call('ACL', 'SETUSER', user, ...rules, ...onCluster)).toBe('OK');
      }
    }
    const [node] = servers.redis.nodes;
    for (const username of ['producer', 'consumer']) {
      const own = new Redis(node!.server.url.replace('//', `//${username}:secret@`));
      await expect(own.cluster('RESET')).rejects.toThrow('NOPERM');
      own.disconnect();
    }
    const { cluster } = servers.redis.connection;
    const as = (username: string): { cluster: typeof cluster; options: object } => ({
      cluster,
      options: { redisOptions: { username, password: 'secret' } },
    });
    const handled: unknown[] = [];
    await streamsApp(
      { connection: as('consumer'), group: 'billing' },
      { controllers: [handlerOf('orders', (data) => void handled.push(data))] },
    );
    const client = new ClientRedisStreams({ connection: as('producer') });
    try {
      await firstValueFrom(client.emit('orders', { n: 1 }));
      await waitFor(() => handled.length === 1);
    } finally {
      await client.close();
    }
  });
});
