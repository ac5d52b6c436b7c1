import { Redis } from 'ioredis';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardedChild, type GuardedChild } from '../../lib/testing/redis/process/guarded-child.js';
import { executablePath, freePort } from '../../lib/testing/redis/process/local-redis.js';
import { answerOf } from '../../lib/testing/redis/process/redis-probe.js';
import { waitFor } from './wait-for.js';

const HOST = '127.0.0.1';
const NAME = 'main';

/** Sentinels that watch one primary. */
export interface Sentinels {
  /** For `connection`. */
  readonly connection: { name: string; sentinels: { host: string; port: number }[] };
  readonly processes: readonly GuardedChild[];
  /** A connection to the first of them. */
  readonly client: Redis;
  /** Where they report the primary to be. */
  primaryPort(): Promise<number>;
  stop(): Promise<void>;
}

export interface SentinelsOptions {
  /** @default 3, of which two have to agree */
  readonly count?: number;
  /** How many replicas they have to find. */
  readonly replicas?: number;
  /** More lines of their configuration. */
  readonly lines?: readonly string[];
}

/** What sentinels need: a program on this machine. */
export const sentinelProgram = (): Promise<string | undefined> =>
  executablePath('redis-server', 'valkey-server');

/** Starts sentinels, and waits until they know each other and the replicas. */
export async function startSentinels(
  primaryPort: number,
  { count = 3, replicas = 0, lines = [] }: SentinelsOptions = {},
): Promise<Sentinels> {
  const dir = await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-sentinels-'));
  const quorum = Math.floor(count / 2) + 1;
  const settings = [
    `sentinel monitor ${NAME} ${HOST} ${primaryPort} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} 2000`,
    // There is no second failover within twice this.
    `sentinel failover-timeout ${NAME} 3000`,
    ...lines,
  ];
  const started = await Promise.all(
    Array.from({ length: count }, () => startSentinel(dir, settings)),
  );
  const ask = new Redis({ host: HOST, port: started[0]?.port ?? 0 });
  await waitFor(
    async () => {
      const fields = (await ask.call('SENTINEL', 'MASTER', NAME)) as string[];
      const field = (name: string): number => Number(fields[fields.indexOf(name) + 1]);
      return field('num-slaves') === replicas && field('num-other-sentinels') === count - 1;
    },
    { description: 'sentinels that know all the others' },
  );
  const processes = started.map(({ child }) => child);
  return {
    connection: { name: NAME, sentinels: started.map(({ port }) => ({ host: HOST, port })) },
    processes,
    client: ask,
    primaryPort: async () => {
      const address = await ask.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
      return Number((address as string[])[1]);
    },
    stop: async () => {
      ask.disconnect();
      for (const child of processes) child.kill('SIGKILL');
      await Promise.all(processes.map(({ gone }) => gone));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function startSentinel(
  dir: string,
  settings: readonly string[],
): Promise<{ port: number; child: GuardedChild }> {
  const program = await sentinelProgram();
  const port = await freePort();
  const file = join(dir, `${port}.conf`);
  const lines = [`port ${port}`, `bind ${HOST}`, `dir ${dir}`, ...settings];
  await writeFile(file, `${lines.join('\n')}\n`);
  const child = guardedChild(program ?? '', [file, '--sentinel'], dir);
  const answer = await answerOf({ host: HOST, port }, 10_000, { giveUp: () => child.isGone() });
  if (answer === undefined) throw new Error(`A sentinel does not start: ${child.output()}`);
  child.unref();
  return { port, child };
}
