import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { JsonCodec } from 'nestjs-redis-streams';

import { GROUP, STREAM } from './bench-stream.js';

const AT_ONCE = 1_000;

/** Empties Redis, and writes what waits for the group: messages as `emit()` writes them, of about 150 bytes. */
export async function fillStream(client: Redis, messages: number): Promise<void> {
  const codec = new JsonCodec();
  await client.flushall();
  await client.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM');
  for (let from = 0; from < messages; from += AT_ONCE) {
    const pipeline = client.pipeline();
    for (let n = from; n < Math.min(messages, from + AT_ONCE); n++) {
      const payload = {
        orderId: n,
        customer: 'customer-1138',
        item: 'a teapot of stoneware',
        quantity: 1 + (n % 7),
      };
      const envelope = { name: 'order.created', payload, messageId: randomUUID() };
      pipeline.xadd(STREAM, '*', ...codec.encode(STREAM, envelope));
    }
    await pipeline.exec();
  }
}
