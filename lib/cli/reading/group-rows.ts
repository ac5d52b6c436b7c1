import type { Redis } from 'ioredis';
import { streamKey, streamKeys } from '../../wire/stream-keys.js';
import { publishedAtMs } from '../../wire/ids.js';
import { type GroupInfo, readGroups, readStream, type StreamInfo } from '../../redis/read/xinfo.js';
import { ledgerSize } from '../../redis/read/ledger-size.js';
import { livingMembers } from '../../redis/read/group-members.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { CliError } from '../cli.error.js';
import * as text from '../cli.messages.js';
import type { Session } from '../session.js';
import { knownLag } from './known-lag.js';
import { membersOf } from './members-of.js';
import { noStream, streamsOf } from './streams-of.js';

/** How a group of a stream stands. What is not known is left out. */
export interface GroupRow {
  readonly stream: string;
  readonly group: string | undefined;
  readonly length: number;
  readonly lag?: number | undefined;
  readonly pending?: number;
  /** Since the oldest of what is pending was published. */
  readonly oldestPendingMs?: number | undefined;
  readonly retries?: number;
  readonly deadLetters?: number;
  readonly ledger?: number;
  /** As Redis lists them. */
  readonly consumers?: number;
  /** How many members say that they are alive; nothing where none says anything. */
  readonly alive?: number | undefined;
  /** The versions of this package that these run, each once. */
  readonly versions?: readonly string[] | undefined;
  readonly lastDeliveredId?: string;
}

/** How many members are alive, for people. Where none says so it may be as many as Redis lists, or others. */
export const aliveText = ({ alive, consumers }: GroupRow): number | string | undefined =>
  alive ?? (consumers === undefined ? undefined : `${consumers}?`);

/** How many streams are asked about at a time. */
const PAGE = 100;

/** A row for each group of each stream, and one for a stream without any. Those that are not there are left out. */
export async function groupRows(session: Session, streams: readonly string[]): Promise<GroupRow[]> {
  const rows: GroupRow[] = [];
  for (let at = 0; at < streams.length; at += PAGE) {
    const some = streams.slice(at, at + PAGE);
    rows.push(...(await Promise.all(some.map((stream) => rowsOf(session, stream)))).flat());
  }
  return rows;
}

/** @throws CliError where the stream or the group is not there */
export async function groupOf(session: Session, stream: string, group: string): Promise<GroupInfo> {
  const { client, prefix } = session;
  const key = streamKey(prefix, stream);
  const [info, groups] = await Promise.all([readStream(client, key), readGroups(client, key)]);
  if (info === undefined) throw await noStream(session, stream);
  const found = groups.find(({ name }) => name === group);
  if (found === undefined) throw new CliError(text.noSuchGroup(stream, group));
  return found;
}

/** @throws CliError where no partition of the stream has the group */
export async function groupOfAny(session: Session, stream: string, group: string): Promise<void> {
  const rows = await groupRows(session, await streamsOf(session, [stream]));
  if (!rows.some((row) => row.group === group)) throw new CliError(text.noSuchGroup(stream, group));
}

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
