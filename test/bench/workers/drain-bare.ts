import { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';
import { Busy } from './busy.js';
import { readBatch } from './read-batch.js';
import { serveTasks } from './serve-tasks.js';

/** Answers with messages a second, and how busy this process and Redis were. */
serveTasks(async ({ redisUrl, messages, protocol = 2 }) => {
  const watch = new Redis(redisUrl);
  const busy = await Busy.begin(watch);
  const client = new Redis(redisUrl, { protocol });
  for (let read = 0; read < messages;) {
    const batch = await readBatch(client);
    read += batch.length;
    await client.xack(STREAM, GROUP, ...batch.map(({ id }) => id));
  }
  const { seconds, own, redis } = await busy.end();
  client.disconnect();
  watch.disconnect();
  return [messages / seconds, own, redis];
});
