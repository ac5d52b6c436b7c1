import 'reflect-metadata';
import { Redis } from 'ioredis';

import { Busy } from './busy.js';
import { Tally } from './tally.js';
import { nonePending } from './none-pending.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

/** Answers with messages a second, and how busy this process and Redis were. */
serveTasks(async ({ redisUrl, messages, subscription }) => {
  const watch = new Redis(redisUrl);
  const tally = new Tally();
  const app = await openService(redisUrl, () => tally.one(), subscription);
  const busy = await Busy.begin(watch);
  await app.listen();
  await tally.reached(messages);
  await nonePending(watch);
  const { seconds, own, redis } = await busy.end();
  await app.close();
  watch.disconnect();
  return [messages / seconds, own, redis];
});
