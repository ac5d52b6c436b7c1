import type { Redis } from 'ioredis';
import { isGroupGone, isRedisReply } from '../server/redis-errors.js';
import { parseList, parseText } from './replies.js';

/** A stream, as `XINFO STREAM` shows it. */
export interface StreamInfo {
  readonly length: number;
  readonly lastGeneratedId: string;
  readonly firstEntryId: string | undefined;
  readonly lastEntryId: string | undefined;
}

/** A group, as `XINFO GROUPS` shows it. */
export interface GroupInfo {
  readonly name: string;
  readonly consumers: number;
  readonly pending: number;
  readonly lastDeliveredId: string;
  /** Redis's own number. Redis 6.2 has none, and it is not always right: see `knownLag`. */
  readonly lag: number | undefined;
}

/** A consumer, as `XINFO CONSUMERS` shows it. */
export interface ConsumerInfo {
  readonly name: string;
  readonly pending: number;
  /** Time since its last request, in ms. */
  readonly idleMs: number;
}

/** @returns undefined if the stream does not exist */
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

/** The groups of a stream; none if the stream does not exist. */
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

/** The consumers of a group; none if the stream or the group does not exist. */
export async function readConsumers(
  client: Redis,
  key: string,
  group: string,
): Promise<ConsumerInfo[]> {
  const reply = await unlessGone(client.call('XINFO', 'CONSUMERS', key, group));
  return parseList(reply ?? [], 'XINFO CONSUMERS').map((row) => {
    const field = fieldsOf(row, 'XINFO CONSUMERS');
    return {
      name: parseText(field('name'), 'XINFO CONSUMERS'),
      pending: Number(field('pending')),
      idleMs: Number(field('idle')),
    };
  });
}

/** Reads a flat list of names and values. */
function fieldsOf(row: unknown, command: string): (name: string) => unknown {
  const fields = parseList(row, command);
  return (name) => {
    const at = fields.indexOf(name);
    return at < 0 ? undefined : fields[at + 1];
  };
}

const idOf = (entry: unknown): string | undefined =>
  Array.isArray(entry) ? String(entry[0]) : undefined;

async function unlessGone(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply;
  } catch (error) {
    if (isGroupGone(error)) return undefined;
    if (isRedisReply(error) && error.message.includes('no such key')) return undefined;
    throw error;
  }
}
