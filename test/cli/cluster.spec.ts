import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { asClient } from '../../lib/redis/connect/cluster-client.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { commandLine, type CommandLine } from '../support/command-line.js';
import { freshPrefix } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { waitFor } from '../support/wait-for.js';

const withCluster = (await canHaveCluster()) ? describe : describe.skip;

withCluster('nest-streams on a Redis Cluster', () => {
  const servers = clusterForTests();
  let line: CommandLine | undefined;
  beforeAll(async () => {
    line = await commandLine(() => ({
      REDIS_URL: `redis://127.0.0.1:${servers.redis.nodes[0]?.server.port}`,
    }));
  });
  afterAll(() => line?.end());
  const json = async (...args: string[]): Promise<unknown> => {
    const result = await line?.run(['--cluster', '--json', ...args]);
    expect(result?.stderr).toBe('');
    return JSON.parse(result?.stdout ?? '');
  };

  it('sees the streams of all nodes, publishes, tails, and runs doctor without changing anything', async () => {
    const prefix = freshPrefix();
    const client = asClient(servers.redis.client);
    const streams = ['eu', 'me', 'sa', 'us'];
    for (const stream of streams) {
      await addEntries(client, prefix + stream, [1]);
      await client.xgroup('CREATE', prefix + stream, 'billing', '0');
    }
    const overview = await json('overview', '--prefix', prefix);
    expect(overview).toMatchObject(streams.map((stream) => ({ stream, length: 1 })));

    const tail = line?.start(['--cluster', 'tail', 'eu', '--prefix', prefix]);
    await waitFor(async () => {
      await line?.run(['--cluster', 'publish', 'eu', '{"n":2}', '--prefix', prefix]);
      return tail?.output().includes('"n":2');
    });
    tail?.kill('SIGINT');
    await tail?.ended;

    const lengths = (): Promise<number[]> =>
      Promise.all(streams.map((stream) => client.xlen(prefix + stream)));
    const before = await lengths();
    const findings = await json('doctor', '--prefix', prefix);
    expect(JSON.stringify(findings)).not.toContain('rights');
    // The commands that it tries are queued on the node that has the stream, and discarded.
    expect(await lengths()).toEqual(before);
  });
});
