import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';

import { STREAM } from '../bench-stream.js';
import { orderOf } from '../messages/order.js';
import { inRounds } from './in-rounds.js';
import { serveTasks } from './serve-tasks.js';

const BATCH = 1_000;

/** The same fields as on our side. */
const fieldsOf = (n: number): string[] => [
  'name',
  STREAM,
  'body',
  JSON.stringify(orderOf(n)),
  'id',
  randomUUID(),
];

serveTasks(async ({ redisUrl, messages, what }) => {
  const client = new Redis(redisUrl, { protocol: 2, enableAutoPipelining: what === 'emit' });
  await client.ping();
  const startedAt = performance.now();
  if (what === 'emitBatch') {
    await inRounds(messages / BATCH, 1, (batch) => {
      const pipeline = client.pipeline();
      for (let n = 0; n < BATCH; n++) pipeline.xadd(STREAM, '*', ...fieldsOf(batch * BATCH + n));
      return pipeline.exec();
    });
  } else {
    await inRounds(messages, 100, (n) => client.xadd(STREAM, '*', ...fieldsOf(n)));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  client.disconnect();
  return [messages / seconds];
});
