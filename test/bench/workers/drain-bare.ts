import { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';
import { readBatch } from './read-batch.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages }) => {
  const startedAt = performance.now();
  // RESP3, the default of ioredis 6, is slower to read.
  const client = new Redis(redisUrl, { protocol: 2 });
  for (let read = 0; read < messages;) {
    const batch = await readBatch(client);
    read += batch.length;
    await client.xack(STREAM, GROUP, ...batch.map(({ id }) => id));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  client.disconnect();
  return [messages / seconds];
});
