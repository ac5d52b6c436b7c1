import type { Redis } from 'ioredis';

/** The CPU time that Redis has used since it started, in seconds. */
export async function redisCpuSeconds(client: Redis): Promise<number> {
  const info = await client.info('cpu');
  const times = [...info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)];
  return times.reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}
