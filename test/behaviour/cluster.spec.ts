import { describe, expect, it } from '@jest/globals';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const withCluster = (await canHaveCluster()) ? describe : describe.skip;
closeAppsAfterEach();

withCluster('Redis Cluster', () => {
  const servers = clusterForTests();

  it('streams in different slots are read side by side, each on a connection of its own', async () => {
    const { connection, nodes } = servers.redis;
    const streams = ['orders', 'payments', 'invoices', 'parcels', 'returns'].map((name) =>
      freshName(name),
    );
    const handled: string[] = [];
    const app = await streamsApp(
      { connection, group: GROUP },
      {
        controllers: streams.map((stream) =>
          handlerOf<number>(stream, (n) => void handled.push(`${stream}:${n}`)),
        ),
      },
    );
    const sent = streams.flatMap((stream) => [1, 2, 3].map((n) => ({ stream, n })));
    await Promise.all(sent.map(({ stream, n }) => app.emit(stream, n)));
    await waitFor(() => handled.length >= sent.length, { timeoutMs: 10_000 });
    expect([...handled].sort()).toEqual(sent.map(({ stream, n }) => `${stream}:${n}`).sort());
    // Each stream's own messages come in their order.
    for (const stream of streams) {
      expect(handled.filter((its) => its.startsWith(stream))).toEqual(
        [1, 2, 3].map((n) => `${stream}:${n}`),
      );
    }
    const lists = await Promise.all(nodes.map(({ client }) => client.client('LIST')));
    const names = lists.join('\n').match(/ name=\S+:blocking:\d+/g) ?? [];
    expect(names).toHaveLength(streams.length);
  });
});
