import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

import { Tally } from './tally.js';
import { nonePending } from './none-pending.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages, subscription, waitMs = 0 }) => {
  const watch = new Redis(redisUrl);
  const tally = new Tally();
  // The time to start an app does not count here.
  let startedAt = 0;
  const app = await openService(
    redisUrl,
    async () => {
      if (startedAt === 0) startedAt = performance.now();
      await delay(waitMs);
      tally.one();
    },
    subscription,
  );
  await app.listen();
  await tally.reached(messages);
  await nonePending(watch);
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  watch.disconnect();
  return [messages / seconds];
});
