import { Redis } from 'ioredis';

import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { type Sentinels, startSentinels } from './sentinels.js';
import { waitFor } from './wait-for.js';

const HOST = '127.0.0.1';

/** A primary, its replicas, and the sentinels that watch them. */
export interface SentinelRedis extends Sentinels {
  readonly primary: StartedRedis;
  readonly replicas: readonly StartedRedis[];
  /** A connection for inspecting the current primary. */
  connect(): Redis;
  /**
   * Kills the primary once its replicas are in sync, waits until another has its place, and restarts it as a
   * replica of that one. Commands under way are not executed any more.
   */
  failOver(): Promise<void>;
}

/**
 * Starts one primary, two replicas and three sentinels, of which two have to agree.
 *
 * @param args for each Redis
 */
export async function startSentinelRedis(args: readonly string[]): Promise<SentinelRedis> {
  const serverArgs = [...args, '--repl-diskless-sync-delay', '0'];
  const replicaOf = (port: number): string[] => [...serverArgs, '--replicaof', HOST, String(port)];
  const primary = await startRedis({ args: serverArgs });
  const replicas = await Promise.all(
    [1, 2].map(() => startRedis({ args: replicaOf(primary.port) })),
  );
  await replicasInStep(primary.port);
  const sentinels = await startSentinels(primary.port, { replicas: replicas.length });
  const { connection, primaryPort } = sentinels;
  return {
    ...sentinels,
    primary,
    replicas,
    connect: () => new Redis(connection),
    failOver: async () => {
      const before = await primaryPort();
      const { process } = [primary, ...replicas].find(({ port }) => port === before) ?? primary;
      await replicasHaveAll(before);
      await process?.kill();
      await waitFor(async () => (await primaryPort()) !== before);
      const now = await primaryPort();
      await process?.restart({ args: replicaOf(now) });
      await replicasInStep(now);
    },
    stop: async () => {
      await sentinels.stop();
      await Promise.all([primary, ...replicas].map((server) => server.stop()));
    },
  };
}

/**
 * Redis answers before its replicas have what was written: killed in between, it would have lost what it
 * confirmed.
 */
async function replicasHaveAll(primaryPort: number): Promise<void> {
  const look = new Redis(primaryPort, HOST);
  await look.client('PAUSE', 10_000, 'WRITE');
  await waitFor(
    async () => {
      const info = await look.info('replication');
      const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
      const theirs = [...info.matchAll(/,offset=(\d+)/g)].map(([, replicaOffset]) => replicaOffset);
      return theirs.length > 0 && theirs.every((each) => each === offset);
    },
    { description: 'replicas have all that was written' },
  );
  look.disconnect();
}

async function replicasInStep(primaryPort: number): Promise<void> {
  const look = new Redis(primaryPort, HOST);
  await waitFor(async () => (await look.info('replication')).match(/state=online/g)?.length === 2, {
    description: 'two replicas in step',
  });
  look.disconnect();
}
