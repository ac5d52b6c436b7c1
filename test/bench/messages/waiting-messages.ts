import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { JsonCodec } from 'nestjs-redis-streams';

import { GROUP, STREAM } from '../bench-stream.js';
import { orderOf } from './order.js';

const AT_ONCE = 1_000;

/** Writes messages as `emit()` does, of about 150 bytes each. */
export async function writeMessages(client: Redis, messages: number): Promise<void> {
  const codec = new JsonCodec();
  for (let from = 0; from < messages; from += AT_ONCE) {
    const pipeline = client.pipeline();
    for (let n = from; n < Math.min(messages, from + AT_ONCE); n++) {
      const envelope = { name: 'order.created', payload: orderOf(n), messageId: randomUUID() };
      pipeline.xadd(STREAM, '*', ...codec.encode(STREAM, envelope));
    }
    await pipeline.exec();
  }
}

/** Makes everything that was written wait for the group again, as if it had never been read. */
export async function startOver(client: Redis): Promise<void> {
  const keys = await client.keys('*');
  await client.unlink('-', ...keys.filter((key) => key !== STREAM));
  await client.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM').catch(() => undefined);
  await client.xgroup('DESTROY', STREAM, GROUP);
  await client.xgroup('CREATE', STREAM, GROUP, '0');
}

/** New unread messages instead of the read ones: the group's ledger does not know them. */
export async function replaceMessages(client: Redis, messages: number): Promise<void> {
  await client.xtrim(STREAM, 'MAXLEN', 0);
  await writeMessages(client, messages);
}
