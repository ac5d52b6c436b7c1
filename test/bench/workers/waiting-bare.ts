import { setTimeout as delay } from 'node:timers/promises';

import { serveTasks } from './serve-tasks.js';

/** As many loops as our side runs at once, with only the timers in them. */
serveTasks(async ({ messages, subscription, waitMs = 0 }) => {
  let left = messages;
  const loop = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await delay(waitMs);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: subscription?.concurrency ?? 1 }, loop));
  return [messages / ((performance.now() - startedAt) / 1000)];
});
