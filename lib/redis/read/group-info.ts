import type { Redis } from 'ioredis';
import { isRedisReply } from '../server/redis-errors.js';
import { parseList, parseText } from './replies.js';

/** A group as `XINFO GROUPS` has it. */
export interface GroupInfo {
  readonly name: string;
  readonly consumers: number;
  readonly pending: number;
  readonly lastDeliveredId: string;
  /** As Redis says it; not before Redis 7, and not always right: see {@link knownLag}. */
  readonly lag: number | undefined;
}

/** A stream as `XINFO STREAM` has it. */
export interface StreamInfo {
  readonly length: number;
  readonly lastGeneratedId: string;
  readonly firstEntryId: string | undefined;
  readonly lastEntryId: string | undefined;
}

/** The groups of a stream; none where it is not there. */
export async function readGroups(client: Redis, key: string): Promise<GroupInfo[]> {
  const reply = await unlessGone(client.call('XINFO', 'GROUPS', key));
  return parseList(reply ?? [], 'XINFO GROUPS').map((row) => {
    const field = fieldsOf(row, 'XINFO GROUPS');
    const lag = field('lag');
    return {
      name: parseText(field('name'), 'XINFO GROUPS'),
      consumers: Number(field('consumers')),
      pending: Number(field('pending')),
      lastDeliveredId: parseText(field('last-delivered-id'), 'XINFO GROUPS'),
      lag: typeof lag === 'number' ? lag : undefined,
    };
  });
}

/** What there is to know of a stream; nothing where it is not there. */
export async function readStream(client: Redis, key: string): Promise<StreamInfo | undefined> {
  const reply = await unlessGone(client.call('XINFO', 'STREAM', key));
  if (reply === undefined) return undefined;
  const field = fieldsOf(reply, 'XINFO STREAM');
  return {
    length: Number(field('length')),
    lastGeneratedId: parseText(field('last-generated-id'), 'XINFO STREAM'),
    firstEntryId: idOf(field('first-entry')),
    lastEntryId: idOf(field('last-entry')),
  };
}

const idOf = (entry: unknown): string | undefined =>
  Array.isArray(entry) ? String(entry[0]) : undefined;

function fieldsOf(row: unknown, command: string): (name: string) => unknown {
  const fields = parseList(row, command);
  return (name) => {
    const at = fields.indexOf(name);
    return at < 0 ? undefined : fields[at + 1];
  };
}

async function unlessGone(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply;
  } catch (error) {
    if (isRedisReply(error) && error.message.includes('no such key')) return undefined;
    throw error;
  }
}
