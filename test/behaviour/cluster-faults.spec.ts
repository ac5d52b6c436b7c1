import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import { ClientRedisStreams, RedisStreamsRecordBuilder } from '../../lib/index.js';
import { asClient } from '../../lib/redis/connect/cluster-client.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import type { ClusterRedis } from '../support/cluster-redis.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const withCluster = (await canHaveCluster()) ? describe : describe.skip;
closeAppsAfterEach();

/** What is published and handled while the cluster changes. */
interface Load {
  readonly streams: readonly string[];
  /** By stream, in the order in which they were confirmed. */
  readonly confirmed: Map<string, number[]>;
  readonly handled: Map<string, number[]>;
  readonly failed: unknown[];
  /** Stops publishing, once everything is handled. */
  end(): Promise<void>;
}

/** Publishes to each stream one message after the other, each with its ID until it is confirmed. */
async function load(redis: ClusterRedis, streams: readonly string[]): Promise<Load> {
  const handled = new Map<string, number[]>(streams.map((stream) => [stream, []]));
  const confirmed = new Map<string, number[]>(streams.map((stream) => [stream, []]));
  const failed: unknown[] = [];
  const app: StreamsApp = await streamsApp(
    {
      connection: redis.connection,
      group: GROUP,
      blockMs: 1_000,
      recovery: { minIdleMs: 3_000, intervalMs: 300 },
    },
    {
      controllers: streams.map((stream) =>
        handlerOf<number>(stream, (n) => void handled.get(stream)?.push(n)),
      ),
    },
  );
  const client = new ClientRedisStreams({ connection: redis.connection, publishTimeoutMs: 30_000 });
  await client.connect();
  const stop = new AbortController();
  const publishing = streams.map(async (stream) => {
    for (let n = 0; !stop.signal.aborted; n++) {
      const record = new RedisStreamsRecordBuilder(n).setMessageId(`message-${n}`).build();
      // Not strictly one after the other, so that some are under way when the cluster changes.
      firstValueFrom(client.emit(stream, record)).then(
        () => confirmed.get(stream)?.push(n),
        (error: unknown) => failed.push(error),
      );
      await delay(2);
    }
  });
  return {
    streams,
    confirmed,
    handled,
    failed,
    end: async () => {
      stop.abort();
      await Promise.all(publishing);
      await client.close();
      for (const stream of streams) {
        await waitFor(() => isCaughtUp(asClient(redis.client), stream, GROUP), {
          description: `${stream} is caught up`,
        });
      }
      await app.close();
    },
  };
}

const total = (counts: Map<string, number[]>): number =>
  [...counts.values()].reduce((sum, { length }) => sum + length, 0);

const more = async (traffic: Load, by: number): Promise<void> => {
  for (const stream of traffic.streams) {
    const before = traffic.handled.get(stream)?.length ?? 0;
    await waitFor(() => (traffic.handled.get(stream)?.length ?? 0) >= before + by, {
      description: `${by} more of ${stream}`,
    });
  }
};

withCluster('a Redis Cluster that changes', () => {
  const servers = clusterForTests(['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2']);

  it('slots that move to other nodes under load: nothing is lost, nothing comes twice, and order holds', async () => {
    const { redis } = servers;
    const streams = ['orders', 'payments', 'invoices'].map((name) => freshName(name));
    const traffic = await load(redis, streams);
    await more(traffic, 50);
    for (const stream of [...streams, ...streams]) {
      await redis.move(stream);
      await more(traffic, 20);
    }
    await traffic.end();
    expect(traffic.failed).toEqual([]);
    for (const stream of streams) {
      const confirmed = traffic.confirmed.get(stream) ?? [];
      expect(confirmed.length).toBeGreaterThan(100);
      expect(traffic.handled.get(stream)).toEqual(confirmed.map((_, n) => n));
    }
    expect(total(traffic.handled)).toBe(total(traffic.confirmed));
  });

  it('a master that dies under load: everything continues by itself, and nothing that was confirmed is lost', async () => {
    const { redis } = servers;
    const streams = ['orders', 'payments', 'invoices'].map((name) => freshName(name));
    const traffic = await load(redis, streams);
    await more(traffic, 50);
    const [stream = ''] = streams;
    const dies = await redis.masterOf(stream);
    await dies.server.process?.kill('SIGKILL');
    const diedAt = performance.now();
    expect(await redis.masterOf(stream)).not.toBe(dies);
    // Without a replica the new master would refuse messages, because no other node has them.
    await dies.server.process?.restart();
    const electedMs = performance.now() - diedAt;
    await more(traffic, 50);
    const readingMs = performance.now() - diedAt;
    await traffic.end();
    for (const name of streams) {
      const handled = traffic.handled.get(name) ?? [];
      const lost = traffic.confirmed.get(name)?.filter((n) => !handled.includes(n));
      expect(lost).toEqual([]);
      // Nothing is handled twice either: the new master knows what was committed.
      expect(new Set(handled).size).toBe(handled.length);
    }
    // Automatically and soon, even on a machine with other load.
    expect(readingMs).toBeLessThan(electedMs + 20_000);
  });
});
