import type { Redis } from 'ioredis';

import { redisCpuSeconds } from '../measure/redis-cpu.js';

/** Tells how busy this process and Redis are, in percent of a core. */
export class Busy {
  private constructor(
    private readonly client: Redis,
    private readonly own: NodeJS.CpuUsage,
    private readonly redisSeconds: number,
    private readonly startedAt: number,
  ) {}

  /** @param client one that does not take part in what is measured */
  static async begin(client: Redis): Promise<Busy> {
    const redisSeconds = await redisCpuSeconds(client);
    return new Busy(client, process.cpuUsage(), redisSeconds, performance.now());
  }

  async end(): Promise<{ seconds: number; own: number; redis: number }> {
    const seconds = (performance.now() - this.startedAt) / 1000;
    const { user, system } = process.cpuUsage(this.own);
    const redisSeconds = (await redisCpuSeconds(this.client)) - this.redisSeconds;
    const percent = (cpuSeconds: number): number => (cpuSeconds / seconds) * 100;
    return { seconds, own: percent((user + system) / 1e6), redis: percent(redisSeconds) };
  }
}
