import type { Redis } from 'ioredis';
import type { DeadLetters } from '../../dead-letters/dead-letters.js';
import type { RedisStreamsPull } from '../../nest/pull/redis-streams-pull.js';
import type { ServerRedisStreams } from '../../nest/server-redis-streams.js';
import { compareEntryIds, parseRowId } from '../../wire/ids.js';
import { placesOf } from '../../wire/partitions.js';
import { DELAYED_STREAMS_KEY, streamKeys, wildcardsKey } from '../../wire/stream-keys.js';

/** What is needed to read the state of an app's messages in Redis. */
export interface AppInRedis {
  readonly client: Redis;
  readonly server: ServerRedisStreams;
  readonly pull: RedisStreamsPull;
  readonly deadLetters: DeadLetters;
}

/** The streams that the app's handlers read, and those that it pulls or has pulled. */
export const streamsOf = ({ server, pull }: Pick<AppInRedis, 'server' | 'pull'>): string[] => [
  ...new Set([...server.subscriptions(), ...pull.subscriptions()].map(({ stream }) => stream)),
];

/** How many messages closing the app now would lose or repeat. */
export const unsettledCount = ({ server, pull }: Pick<AppInRedis, 'server' | 'pull'>): number =>
  (server.consumer?.unsettled ?? 0) + pull.unsettled;

/** What a group has not finished in a stream. */
export interface Unfinished {
  /** The name of the stream, or of one of its partitions. */
  readonly stream: string;
  /** Whether the stream has entries that are not yet delivered to the group. */
  readonly hasUnread: boolean;
  /** How many entries are pending, without those that wait for their next attempt. */
  readonly pending: number;
  /** How many wait for their next attempt, or to be redriven. */
  readonly retries: number;
}

/**
 * The streams of the app that have unfinished messages. All are read in one transaction: otherwise a handler could publish to a
 * stream that was already read.
 */
export async function unfinishedStreams(app: AppInRedis): Promise<Unfinished[]> {
  const { client, server } = app;
  const { keyPrefix, group, partitions } = server.options;
  const streams = streamsOf(app).flatMap((stream) => placesOf(stream, partitions.get(stream)));
  const replies = await transaction(
    client,
    streams.flatMap((stream) => {
      const keys = streamKeys(keyPrefix, stream, group);
      return [
        ['XINFO', 'GROUPS', keys.stream],
        ['XREVRANGE', keys.stream, '+', '-', 'COUNT', '1'],
        ['ZRANGE', keys.retries, '0', '-1'],
      ];
    }),
  );
  return streams
    .map((stream, n) => {
      const [groups, last, retries] = replies.slice(n * 3, n * 3 + 3);
      const { pending = 0, lastDeliveredId = '0-0' } = groupIn(groups, group) ?? {};
      const waiting = Array.isArray(retries) ? retries.map(String) : [];
      const lastId = lastIdIn(last);
      return {
        stream,
        hasUnread: lastId !== undefined && compareEntryIds(lastId, lastDeliveredId) > 0,
        pending: pending - waiting.filter((id) => parseRowId(id).kind === 'entry').length,
        retries: waiting.length,
      };
    })
    .filter(({ hasUnread, pending, retries }) => hasUnread || pending + retries > 0);
}

function lastIdIn(reply: unknown): string | undefined {
  if (!Array.isArray(reply) || reply.length === 0) return undefined;
  return String((reply as unknown[][])[0]?.[0]);
}

/** Runs commands in a transaction. If one is refused, its error is in its place. */
export async function transaction(
  client: Redis,
  commands: readonly string[][],
): Promise<unknown[]> {
  const replies = await client
    // ioredis expects the names in lower case.
    .multi(commands.map(([name = '', ...args]) => [name.toLowerCase(), ...args]))
    .exec();
  return (replies ?? []).map(([error, reply]) => error ?? reply);
}

/** A group in the reply of `XINFO GROUPS`; undefined if the group or the stream does not exist. */
export function groupIn(
  reply: unknown,
  group: string,
): { readonly pending: number; readonly lastDeliveredId: string } | undefined {
  if (!Array.isArray(reply)) return undefined;
  for (const row of reply as unknown[][]) {
    const field = (name: string): unknown => row[row.indexOf(name) + 1];
    if (field('name') !== group) continue;
    return {
      pending: Number(field('pending')),
      lastDeliveredId: String(field('last-delivered-id')),
    };
  }
  return undefined;
}

/** The milliseconds in the reply of `TIME`. */
export function msOf(reply: unknown): number {
  const [seconds, micros] = Array.isArray(reply) ? reply : [];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** How many keys one step scans: Redis serves nobody else meanwhile. */
const STEP = '1000';

/**
 * Removes all keys of an app with this prefix. The prefix is random, so no other key contains it, and it has no special
 * characters of patterns.
 */
export async function removeKeys(client: Redis, prefix: string, group: string): Promise<void> {
  for (let cursor = '0'; ;) {
    const [next, keys] = await client.scan(cursor, 'MATCH', `*${prefix}*`, 'COUNT', STEP);
    if (keys.length > 0) await client.unlink(...keys);
    cursor = next;
    if (cursor === '0') break;
  }
  // Keys that apps share have the prefix in their fields.
  for (const shared of [DELAYED_STREAMS_KEY, wildcardsKey(group)]) {
    const fields = (await client.hkeys(shared)).filter((field) => field.startsWith(prefix));
    if (fields.length > 0) await client.hdel(shared, ...fields);
  }
}
