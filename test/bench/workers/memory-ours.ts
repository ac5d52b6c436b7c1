import 'reflect-metadata';
import type { INestMicroservice } from '@nestjs/common';
import { Redis } from 'ioredis';

import { Countdown } from './countdown.js';
import { nonePending } from './none-pending.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

let opened: { readonly app: INestMicroservice; readonly watch: Redis } | undefined;
let countdown: Countdown;

/** Handles what is written in one app after the other task, and answers with the memory of the process, in bytes. */
serveTasks(async ({ redisUrl, messages }) => {
  countdown = new Countdown(messages);
  if (opened === undefined) {
    opened = {
      app: await openService(redisUrl, () => countdown.one()),
      watch: new Redis(redisUrl),
    };
    await opened.app.listen();
  }
  await countdown.done;
  await nonePending(opened.watch);
  return [process.memoryUsage.rss()];
});
