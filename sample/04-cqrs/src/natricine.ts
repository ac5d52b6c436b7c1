import { randomUUID } from 'node:crypto';

import type { Redis } from 'ioredis';

import { KEY_PREFIX } from './streamed-cqrs.module.js';
import { commandTopic } from './topics.js';

const GROUP = 'letters';

/** The entry that natricine's `command_bus.send(command)` writes, with `topic_prefix="sample-04:command."`. */
export async function natricineSends(redis: Redis, command: object): Promise<void> {
  const uuid = ['_natricine_message_uuid', randomUUID()];
  const payload = ['payload', JSON.stringify(command)];
  await redis.xadd(KEY_PREFIX + commandTopic(command.constructor), '*', ...uuid, ...payload);
}

/** The payloads that natricine's command bus gives to the handler of a command. */
export async function natricineHandles(
  redis: Redis,
  command: { readonly name: string },
): Promise<string[]> {
  const topic = KEY_PREFIX + commandTopic(command);
  // The group exists if the sample ran before.
  await redis.xgroup('CREATE', topic, GROUP, '0', 'MKSTREAM').catch(() => undefined);
  const read = await redis.xreadgroup('GROUP', GROUP, 'python-1', 'STREAMS', topic, '>');
  const [[, entries] = [topic, []]] = (read ?? []) as [string, [string, string[]][]][];
  for (const [entryId] of entries) await redis.xack(topic, GROUP, entryId);
  return entries.map(([, fields]) => fields[fields.indexOf('payload') + 1] ?? '');
}
