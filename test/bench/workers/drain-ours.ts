import 'reflect-metadata';
import { Redis } from 'ioredis';

import { Tally } from './tally.js';
import { nonePending } from './none-pending.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages, subscription }) => {
  const watch = new Redis(redisUrl);
  const tally = new Tally();
  const app = await openService(redisUrl, () => tally.one(), subscription);
  await watch.ping();
  const startedAt = performance.now();
  await app.listen();
  await tally.reached(messages);
  await nonePending(watch);
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  watch.disconnect();
  return [messages / seconds];
});
