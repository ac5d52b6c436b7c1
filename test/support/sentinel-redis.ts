import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis, type RedisOptions } from 'ioredis';

import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { executablePath } from '../../lib/testing/process/executable-path.js';
import { freePort } from '../../lib/testing/process/free-port.js';
import { guardedChild, type GuardedChild } from '../../lib/testing/process/guarded-child.js';
import { answerOf } from '../../lib/testing/process/redis-probe.js';
import { waitFor } from './wait-for.js';

const HOST = '127.0.0.1';
const NAME = 'main';

/** A primary, its replicas, and the sentinels that watch them. */
export interface SentinelRedis {
  /** For `connection`. */
  readonly connection: RedisOptions;
  readonly primary: StartedRedis;
  readonly replicas: readonly StartedRedis[];
  /** A connection to look into the primary with, whichever it is. */
  connect(): Redis;
  /** Where the sentinels say that the primary is. */
  primaryPort(): Promise<number>;
  /** Kills the primary, waits until another has its place, and brings it back as a replica of that one. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** What three sentinels need: a program of this machine. */
export const sentinelProgram = (): Promise<string | undefined> =>
  executablePath('redis-server', 'valkey-server');

/**
 * Starts one primary, two replicas and three sentinels, of which two have to agree.
 *
 * @param args for each Redis
 */
export async function startSentinelRedis(args: readonly string[]): Promise<SentinelRedis> {
  const primary = await startRedis({ args });
  const replicaOf = (port: number): string[] => [...args, '--replicaof', HOST, String(port)];
  const replicas = await Promise.all(
    [1, 2].map(() => startRedis({ args: replicaOf(primary.port) })),
  );
  await replicasInStep(primary.port);
  const dir = await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-sentinels-'));
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(dir, primary.port)));
  const sentinel = new Redis({ host: HOST, port: sentinels[0]?.port ?? 0 });
  await waitFor(
    async () => {
      const fields = (await sentinel.call('SENTINEL', 'MASTER', NAME)) as string[];
      const field = (name: string): number => Number(fields[fields.indexOf(name) + 1]);
      return field('num-slaves') === 2 && field('num-other-sentinels') === 2;
    },
    { timeoutMs: 15_000, description: 'sentinels that know all the others' },
  );
  const primaryPort = async (): Promise<number> => {
    const address = await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
    return Number((address as string[])[1]);
  };
  const connection = {
    name: NAME,
    sentinels: sentinels.map(({ port }) => ({ host: HOST, port })),
  };
  return {
    connection,
    connect: () => new Redis(connection),
    primary,
    replicas,
    primaryPort,
    failOver: async () => {
      const before = await primaryPort();
      const { process } = [primary, ...replicas].find(({ port }) => port === before) ?? primary;
      await process?.kill();
      await waitFor(async () => (await primaryPort()) !== before, { timeoutMs: 30_000 });
      const now = await primaryPort();
      await process?.restart({ args: replicaOf(now) });
      await replicasInStep(now);
    },
    stop: async () => {
      sentinel.disconnect();
      for (const { child } of sentinels) child.kill('SIGKILL');
      await Promise.all(sentinels.map(({ child }) => child.gone));
      await Promise.all([primary, ...replicas].map((server) => server.stop()));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function replicasInStep(primaryPort: number): Promise<void> {
  const look = new Redis(primaryPort, HOST);
  await waitFor(async () => (await look.info('replication')).match(/state=online/g)?.length === 2, {
    timeoutMs: 15_000,
    description: 'two replicas in step',
  });
  look.disconnect();
}

async function startSentinel(
  dir: string,
  primaryPort: number,
): Promise<{ port: number; child: GuardedChild }> {
  const program = await sentinelProgram();
  const port = await freePort();
  const file = join(dir, `${port}.conf`);
  const lines = [
    `port ${port}`,
    `bind ${HOST}`,
    `dir ${dir}`,
    `sentinel monitor ${NAME} ${HOST} ${primaryPort} 2`,
    `sentinel down-after-milliseconds ${NAME} 2000`,
    // There is no second failover within twice this.
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const child = guardedChild(program ?? '', [file, '--sentinel'], dir);
  const answer = await answerOf({ host: HOST, port }, 10_000, { giveUp: () => child.isGone() });
  if (answer === undefined) throw new Error(`A sentinel does not start: ${child.output()}`);
  child.unref();
  return { port, child };
}
