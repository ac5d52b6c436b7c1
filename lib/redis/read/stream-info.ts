import type { Redis } from 'ioredis';
import { isGroupGone, isRedisReply } from '../server/redis-errors.js';
import { parseList, parseText } from './replies.js';

/** A consumer as `XINFO CONSUMERS` has it. */
export interface ConsumerInfo {
  readonly name: string;
  readonly pending: number;
  /** Since it last asked for something, in ms. */
  readonly idleMs: number;
}

/** The consumers of a group; none where the stream or the group is not there. */
export async function readConsumers(
  client: Redis,
  streamKey: string,
  group: string,
): Promise<ConsumerInfo[]> {
  let reply: unknown;
  try {
    reply = await client.xinfo('CONSUMERS', streamKey, group);
  } catch (error) {
    if (isGroupGone(error) || (isRedisReply(error) && error.message.includes('no such key'))) {
      return [];
    }
    throw error;
  }
  return parseList(reply, 'XINFO CONSUMERS').map((row) => {
    const fields = parseList(row, 'XINFO CONSUMERS');
    const field = (name: string): unknown => fields[fields.indexOf(name) + 1];
    return {
      name: parseText(field('name'), 'XINFO CONSUMERS'),
      pending: Number(field('pending')),
      idleMs: Number(field('idle')),
    };
  });
}
