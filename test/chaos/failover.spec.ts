import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { Redis } from 'ioredis';

import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import type { ChaosRun } from './support/chaos-run.js';
import type { CommandProxy } from './support/command-proxy.js';
import { scenarios } from './support/scenario.js';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

withProcess('a failover to a replica', () => {
  const primary = redisForTests({ args: [] });
  const scenario = scenarios(primary);
  let replica: StartedRedis;
  let client: Redis;
  let link: TcpProxy;
  const options = { concurrency: 5, recovery: { minIdleMs: 10_000, intervalMs: 200 } };

  beforeAll(async () => {
    replica = await startRedis({ args: [] });
    client = new Redis(replica.url);
    link = await tcpProxy(primary.url);
  });
  afterAll(async () => {
    client.disconnect();
    await link.close();
    await replica.stop();
  });

  async function replicate(): Promise<void> {
    await primary.server.process?.restart();
    await waitFor(async () => (await primary.client.ping()) === 'PONG', { timeoutMs: 15_000 });
    await client.replicaof('127.0.0.1', Number(new URL(link.url).port));
    await waitFor(isInStep, { timeoutMs: 15_000 });
  }

  /** Whether the replica has everything that the primary has. */
  async function isInStep(): Promise<boolean> {
    const info = await client.info('replication');
    const ours = /slave_repl_offset:(\d+)/.exec(info)?.[1];
    const theirs = /master_repl_offset:(\d+)/.exec(await primary.client.info('replication'))?.[1];
    return info.includes('master_link_status:up') && ours === theirs;
  }

  /** Ends the primary; from now on the replica is used. */
  async function failOver(chaos: ChaosRun, proxy: CommandProxy): Promise<void> {
    await primary.server.process?.kill('SIGKILL');
    await client.replicaof('NO', 'ONE');
    chaos.redis = client;
    proxy.switchTo(replica.url);
  }

  scenario(
    'that has everything loses nothing, and runs nothing twice',
    { promises: '1: nothing is lost. 2: nothing twice. Both as far as the replica had it' },
    async (chaos) => {
      const { random } = chaos;
      await replicate();
      const proxy = await chaos.proxy();
      const consumer = await chaos.consumer({ proxy, options });
      await consumer.ready();
      const ids = await chaos.add(random.whole(50, 100), () => ({ workMs: random.whole(10, 40) }));
      await waitFor(async () => (await chaos.handled()).size >= random.whole(5, 30));
      // Nothing is under way between the two when the primary dies: the consumer is held for that long.
      proxy.freeze();
      await waitFor(isInStep);
      await failOver(chaos, proxy);
      proxy.thaw();
      const publisher = chaos.publisher(proxy.url);
      for (let n = 0; n < 20; n++) await publisher.publish();
      await chaos.drain({ fresh: 0 });
      expect(ids.length + 20).toBe(chaos.published.size);
      return {};
    },
  );

  scenario(
    'that is behind loses what was not replicated, and nothing else',
    { promises: '1 and 2 hold for what the replica had; what it had not is lost, or run again' },
    async (chaos) => {
      const { random } = chaos;
      await replicate();
      const proxy = await chaos.proxy();
      await (await chaos.consumer({ proxy, options })).ready();
      const publisher = chaos.publisher(proxy.url);
      publisher.begin(2, () => ({ workMs: random.whole(30, 80) }));
      await waitFor(() => chaos.published.size >= random.whole(30, 60));
      link.freeze();
      // What reached the replica before is counted there, after the failover.
      const before = chaos.published.size;
      await waitFor(() => chaos.published.size >= before + random.whole(20, 50));
      const running = await chaos.handled();
      await failOver(chaos, proxy);
      link.thaw();
      link.resetAll();
      const there = new Set(await messageIds(chaos));
      const ledger = await chaos.ledger();
      const { size } = chaos.published;
      const lost = new Set([...chaos.published].filter((id) => !there.has(id)));
      await waitFor(() => chaos.published.size >= size + 30);
      await publisher.stop();
      await chaos.drain({ fresh: 0 });
      const runs = await chaos.journal.runs();
      const runTwice = new Set(
        runs.map(({ messageId }) => messageId).filter((id) => !ledger.has(id)),
      );
      expect(running.size).toBeGreaterThan(0);
      return { lost, runTwice };
    },
  );
});

/** The message IDs in the stream. */
async function messageIds({ redis, stream }: ChaosRun): Promise<string[]> {
  const entries = await redis.xrange(stream, '-', '+');
  return entries.map(([, fields]) => fields[fields.indexOf('id') + 1] ?? '');
}
