import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { JsonCodec } from 'nestjs-redis-streams';

import { GROUP, STREAM } from '../bench-stream.js';
import { oneAtATime } from './one-at-a-time.js';
import { readBatch } from './read-batch.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages }) => {
  const writer = new Redis(redisUrl, { protocol: 2 });
  const reader = new Redis(redisUrl, { protocol: 2 });
  const codec = new JsonCodec();
  const ended = new AbortController();
  let arrived: () => void = () => undefined;
  const loop = (async () => {
    while (!ended.signal.aborted) {
      const batch = await readBatch(reader);
      if (batch.length === 0) continue;
      arrived();
      await writer.xack(STREAM, GROUP, ...batch.map(({ id }) => id));
    }
  })();
  const times = await oneAtATime(messages, (payload, onArrival) => {
    arrived = onArrival;
    const envelope = { name: STREAM, payload, messageId: randomUUID() };
    return writer.xadd(STREAM, '*', ...codec.encode(STREAM, envelope));
  });
  ended.abort();
  await loop;
  writer.disconnect();
  reader.disconnect();
  return times;
});
