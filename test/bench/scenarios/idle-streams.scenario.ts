import type { Redis } from 'ioredis';

import { withRedis } from '../measure/bench-redis.js';
import { Contender } from '../measure/contender.js';
import { figure } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** What a process with many idle streams costs. */
export const idleStreams: Scenario = {
  key: 'streams',
  seconds: 100,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const contender = Contender.start('streams-ours');
      const cpu: number[] = [];
      const redisCpu: number[] = [];
      const connections: number[] = [];
      const rounds = size.warmUps + size.runs;
      try {
        for (let round = 0; round < rounds; round++) {
          onProgress(round / rounds);
          const before = await cpuSeconds(client);
          const startedAt = performance.now();
          const task = { redisUrl: url, messages: size.idleStreams, waitMs: size.idleMs };
          const measured = await contender.run(task);
          const seconds = (performance.now() - startedAt) / 1000;
          if (round < size.warmUps) continue;
          cpu.push(...measured);
          redisCpu.push((((await cpuSeconds(client)) - before) / seconds) * 100);
          connections.push(await otherConnections(client));
        }
      } finally {
        await contender.end();
      }
      return {
        title: `${size.idleStreams} idle streams, one handler each, one process`,
        figures: [
          figure('CPU of the process', 'percent', cpu, { atMost: 1 }),
          figure('CPU of Redis', 'percent', redisCpu),
          figure('connections', 'count', connections, { atMost: 2 }),
        ],
      };
    }),
};

async function cpuSeconds(client: Redis): Promise<number> {
  const info = await client.info('cpu');
  const times = [...info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)];
  return times.reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}

async function otherConnections(client: Redis): Promise<number> {
  const list = await client.client('LIST');
  return String(list).trim().split('\n').length - 1;
}
