import type { Redis } from 'ioredis';
import { ledgerSize, livingMembers, readMembers } from '../../redis/read/own-records.js';
import { type GroupInfo, readGroups, readStream, type StreamInfo } from '../../redis/read/xinfo.js';
import type { Member } from '../../redis/scripts/admin/members.script.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { isNotAllowed } from '../../redis/server/redis-errors.js';
import { compareEntryIds, publishedAtMs } from '../../wire/ids.js';
import { streamOfPartition } from '../../wire/partitions.js';
import { streamKey, streamKeys } from '../../wire/stream-keys.js';
import { CliError } from '../cli.error.js';
import type { Session } from '../session.js';
import { noStream, streamsOf } from './streams.js';

/** The state of a group of a stream. What is unknown is left out. */
export interface GroupRow {
  readonly stream: string;
  readonly group: string | undefined;
  readonly length: number;
  readonly lag?: number | undefined;
  readonly pending?: number;
  /** The time since the oldest pending entry was published. */
  readonly oldestPendingMs?: number | undefined;
  readonly retries?: number;
  readonly deadLetters?: number;
  readonly ledger?: number;
  /** How many consumers Redis lists. */
  readonly consumers?: number;
  /** How many members report that they are alive; undefined if none reports anything. */
  readonly alive?: number | undefined;
  /** The versions of this package that they run, each once. */
  readonly versions?: readonly string[] | undefined;
  readonly lastDeliveredId?: string;
}

/** How many streams are read at a time. */
const PAGE = 100;

/** A row for each group of each stream, and one for a stream without groups. Streams that do not exist are left out. */
export async function groupRows(session: Session, streams: readonly string[]): Promise<GroupRow[]> {
  const rows: GroupRow[] = [];
  for (let at = 0; at < streams.length; at += PAGE) {
    const some = streams.slice(at, at + PAGE);
    rows.push(...(await Promise.all(some.map((stream) => rowsOf(session, stream)))).flat());
  }
  return rows;
}

/** @throws CliError if the stream or the group does not exist */
export async function groupOf(session: Session, stream: string, group: string): Promise<GroupInfo> {
  const { client, prefix } = session;
  const key = streamKey(prefix, stream);
  const [info, groups] = await Promise.all([readStream(client, key), readGroups(client, key)]);
  if (info === undefined) throw await noStream(session, stream);
  const found = groups.find(({ name }) => name === group);
  if (found === undefined) throw noGroup(stream, group);
  return found;
}

/** @throws CliError if no partition of the stream has the group */
export async function groupOfAny(session: Session, stream: string, group: string): Promise<void> {
  const rows = await groupRows(session, await streamsOf(session, [stream]));
  if (!rows.some((row) => row.group === group)) throw noGroup(stream, group);
}

const noGroup = (stream: string, group: string): CliError =>
  new CliError(`stream "${stream}" has no group "${group}"`);

async function rowsOf({ client, prefix }: Session, stream: string): Promise<GroupRow[]> {
  const key = streamKey(prefix, stream);
  const [info, groups, now] = await Promise.all([
    readStream(client, key),
    readGroups(client, key),
    redisTimeMs(client),
  ]);
  if (info === undefined) return [];
  if (groups.length === 0) return [{ stream, group: undefined, length: info.length }];
  return Promise.all(groups.map((group) => rowOf(client, prefix, stream, info, group, now)));
}

async function rowOf(
  client: Redis,
  prefix: string,
  stream: string,
  info: StreamInfo,
  group: GroupInfo,
  now: number,
): Promise<GroupRow> {
  const keys = streamKeys(prefix, stream, group.name);
  const [oldest, retries, deadLetters, ledger, members] = await Promise.all([
    client
      .xpending(keys.stream, group.name)
      .then(([, id]) => (id == null ? undefined : String(id))),
    client.zcard(keys.retries),
    client.xlen(keys.deadLetters),
    ledgerSize(client, keys),
    membersOf(client, prefix, stream, group.name),
  ]);
  const living = members.length === 0 ? undefined : livingMembers(members);
  return {
    stream,
    group: group.name,
    length: info.length,
    lag: knownLag(info, group),
    pending: group.pending,
    oldestPendingMs: oldest === undefined ? undefined : Math.max(0, now - publishedAtMs(oldest)),
    retries,
    deadLetters,
    ledger: ledger.all,
    consumers: group.consumers,
    alive: living?.length,
    versions: living && [...new Set(living.flatMap(({ version }) => version ?? []))].sort(),
    lastDeliveredId: group.lastDeliveredId,
  };
}

/**
 * How many entries were not delivered to the group yet. Redis before 8 loses count after some trims, and for groups created in
 * the middle of a stream.
 *
 * @returns undefined if it is unknown, never a wrong 0
 */
export function knownLag(stream: StreamInfo, group: GroupInfo): number | undefined {
  const { length, firstEntryId, lastEntryId } = stream;
  if (lastEntryId === undefined || firstEntryId === undefined) return 0;
  if (compareEntryIds(group.lastDeliveredId, lastEntryId) >= 0) return 0;
  if (compareEntryIds(group.lastDeliveredId, firstEntryId) < 0) return length;
  return group.lag !== undefined && group.lag > 0 && group.lag < length ? group.lag : undefined;
}

/**
 * The members of a group, as they report themselves; none if none does, or if this user may not read it.
 *
 * @param name the name of a stream or partition, without the prefix
 */
export async function membersOf(
  client: Redis,
  prefix: string,
  name: string,
  group: string,
): Promise<Member[]> {
  // A name that looks like a partition's may also be that of a stream of its own.
  const streams = [name, streamOfPartition(name)].filter((stream) => stream !== undefined);
  const records = await Promise.all(
    streams.map((stream) =>
      readMembers(client, prefix, stream, group).catch((error: unknown): Member[] => {
        if (isNotAllowed(error)) return [];
        throw error;
      }),
    ),
  );
  return records.find((members) => members.length > 0) ?? [];
}
