import type { Redis } from 'ioredis';

import { withRedis } from '../measure/bench-redis.js';
import { Contender } from '../measure/contender.js';
import { redisCpuSeconds } from '../measure/redis-cpu.js';
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
      const commands: number[] = [];
      const redisCpu: number[] = [];
      const connections: number[] = [];
      const rounds = size.warmUps + size.runs;
      try {
        for (let round = 0; round < rounds; round++) {
          onProgress(round / rounds);
          const before = await redisCpuSeconds(client);
          const startedAt = performance.now();
          const task = { redisUrl: url, messages: size.idleStreams, waitMs: size.idleMs };
          const [measured, sent] = await counted(client, () => contender.run(task));
          const seconds = (performance.now() - startedAt) / 1000;
          if (round < size.warmUps) continue;
          cpu.push(...measured);
          commands.push(sent / seconds);
          redisCpu.push((((await redisCpuSeconds(client)) - before) / seconds) * 100);
          connections.push(await otherConnections(client));
        }
      } finally {
        await contender.end();
      }
      return {
        title: `${size.idleStreams} idle streams, one handler each, one process`,
        figures: [
          figure('CPU of the process', 'percent', cpu, { atMost: 0.3 }),
          figure('commands to Redis', 'rate', commands, { atMost: 1 }),
          figure('CPU of Redis', 'percent', redisCpu),
          figure('connections', 'count', connections, { atMost: 2 }),
        ],
      };
    }),
};

/** Counts what clients send while `action` runs, without the commands in their scripts. */
async function counted<Result>(
  client: Redis,
  action: () => Promise<Result>,
): Promise<readonly [result: Result, sent: number]> {
  const monitor = await client.monitor();
  let sent = 0;
  monitor.on('monitor', (_time: string, _words: string[], source: string) => {
    if (source !== 'lua') sent += 1;
  });
  try {
    return [await action(), sent];
  } finally {
    monitor.disconnect();
  }
}

async function otherConnections(client: Redis): Promise<number> {
  const list = await client.client('LIST');
  return String(list).trim().split('\n').length - 1;
}
