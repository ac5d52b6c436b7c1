import 'reflect-metadata';
import type { INestMicroservice } from '@nestjs/common';
import { Redis } from 'ioredis';

import { nonePending } from './none-pending.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';
import { Tally } from './tally.js';

const tally = new Tally();
let opened: { readonly app: INestMicroservice; readonly watch: Redis } | undefined;

/** Waits in one app until this many are handled in total, and answers with the memory of the process, in bytes. */
serveTasks(async ({ redisUrl, messages }) => {
  if (opened === undefined) {
    opened = { app: await openService(redisUrl, () => tally.one()), watch: new Redis(redisUrl) };
    await opened.app.listen();
  }
  await tally.reached(messages);
  await nonePending(opened.watch);
  return [process.memoryUsage.rss()];
});
