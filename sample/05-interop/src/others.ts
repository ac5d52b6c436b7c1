import { randomUUID } from 'node:crypto';

import { decode, encode } from '@msgpack/msgpack';
import type { Redis } from 'ioredis';

/** The entry that dtpyfw's `streamer.send_message(stream, Message(name=…, body=…))` writes. */
export async function python(
  redis: Redis,
  stream: string,
  name: string,
  body: object,
): Promise<void> {
  await redis.xadd(stream, '*', 'name', name, 'body', JSON.stringify(body));
}

/** The entry that Watermill's `publisher.Publish(stream, msg)` writes. */
export async function goPublish(
  redis: Redis,
  stream: string,
  payload: object,
  metadata: Record<string, string>,
): Promise<void> {
  await redis.xadd(
    stream,
    '*',
    '_watermill_message_uuid',
    randomUUID(),
    'payload',
    JSON.stringify(payload),
    'metadata',
    Buffer.from(encode(metadata)),
  );
}

/** What a Watermill subscriber would read: UUID, payload, metadata. */
export async function goRead(redis: Redis, stream: string): Promise<string[]> {
  const entries = await redis.xrangeBuffer(stream, '-', '+');
  return entries.map(([, fields]) => {
    const field = (name: string): Buffer =>
      fields[fields.findIndex((each, at) => at % 2 === 0 && each.toString() === name) + 1] ??
      Buffer.alloc(0);
    const metadata = JSON.stringify(decode(field('metadata')));
    return `${field('_watermill_message_uuid').toString()} ${field('payload').toString()} ${metadata}`;
  });
}
