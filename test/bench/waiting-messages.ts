import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { JsonCodec } from 'nestjs-redis-streams';

import { GROUP, STREAM } from './bench-stream.js';

const AT_ONCE = 1_000;

/** Writes messages as `emit()` does, of about 150 bytes each. */
export async function writeMessages(client: Redis, messages: number): Promise<void> {
  const codec = new JsonCodec();
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

/** Makes all that was written wait for the group again, as if nobody had ever read it. */
export async function startOver(client: Redis): Promise<void> {
  const keys = await client.keys('*');
  await client.del('-', ...keys.filter((key) => key !== STREAM));
  await client.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM').catch(() => undefined);
  await client.xgroup('DESTROY', STREAM, GROUP);
  await client.xgroup('CREATE', STREAM, GROUP, '0');
}
