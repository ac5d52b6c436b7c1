import { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';
import { readBatch } from './read-batch.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages, protocol = 2 }) => {
  const startedAt = performance.now();
  const client = new Redis(redisUrl, { protocol });
  for (let read = 0; read < messages;) {
    const batch = await readBatch(client);
    read += batch.length;
    await client.xack(STREAM, GROUP, ...batch.map(({ id }) => id));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  client.disconnect();
  return [messages / seconds];
});
