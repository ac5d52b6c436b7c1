import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages }) => {
  const watch = new Redis(redisUrl);
  let handled = 0;
  let allHandled: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    allHandled = resolve;
  });
  const app = await openService(redisUrl, () => {
    if (++handled === messages) allHandled();
  });
  await watch.ping();
  const startedAt = performance.now();
  await app.listen();
  await done;
  while (await isPending(watch)) await delay(1);
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  watch.disconnect();
  return [messages / seconds];
});

async function isPending(client: Redis): Promise<boolean> {
  const [count] = await client.xpending(STREAM, GROUP);
  return count !== 0;
}
