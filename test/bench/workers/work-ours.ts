import 'reflect-metadata';
import { Redis } from 'ioredis';

import { redisCpuSeconds } from '../measure/redis-cpu.js';
import { Profile } from './profile.js';
import { nonePending } from './none-pending.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';
import { Tally } from './tally.js';

/** Code is compiled until this share of the messages was handled; the rest is measured. */
const WARM_UP = 0.2;

/**
 * Answers with what a message of a drain takes, in µs: in the code of this package, Nest, ioredis, the garbage collector, Node
 * and none of them; and in Redis, for the scripts that reserve and commit, and in CPU time in all.
 */
serveTasks(async ({ redisUrl, messages, subscription }) => {
  const watch = new Redis(redisUrl);
  const tally = new Tally();
  const app = await openService(redisUrl, () => tally.one(), subscription);
  await app.listen();
  const cold = Math.floor(messages * WARM_UP);
  await tally.reached(cold);
  const [scriptsBefore, cpuBefore] = [await scriptsUs(watch), await redisCpuSeconds(watch)];
  const [profile, from] = [await Profile.begin(), tally.many];
  await tally.reached(messages);
  const times = await profile.end();
  const measured = messages - from;
  await nonePending(watch);
  const scripts = (await scriptsUs(watch)) - scriptsBefore;
  const redisUs = ((await redisCpuSeconds(watch)) - cpuBefore) * 1e6;
  await app.close();
  watch.disconnect();
  const { ours, nest, ioredis, garbage, node, idle } = times;
  return [
    ...[ours, nest, ioredis, garbage, node, idle].map((us) => us / measured),
    scripts / measured,
    redisUs / measured,
  ];
});

/** How long Redis has worked on scripts, in µs. */
async function scriptsUs(client: Redis): Promise<number> {
  const info = await client.info('commandstats');
  const times = [...info.matchAll(/^cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/gm)];
  return times.reduce((sum, [, us]) => sum + Number(us), 0);
}
