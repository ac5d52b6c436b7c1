import type { Redis } from 'ioredis';
import { parseList, parseText } from '../../redis/read/replies.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { parseRowId } from '../../wire/ids.js';
import { type StreamKeys, streamKeys } from '../../wire/stream-keys.js';
import type { Column } from '../output/table.js';
import { dueText, spanText, timeText } from '../output/text.js';
import { groupOf } from '../reading/group-rows.js';
import { onGroup } from '../session.js';

interface PendingQuery {
  readonly after?: string;
  readonly limit: number;
  readonly minIdle?: number;
  readonly consumer?: string;
}

/** An entry that was delivered to a consumer and is not settled. */
interface PendingRow {
  readonly entryId: string;
  readonly consumer: string;
  readonly idleMs: number;
  readonly deliveries: number;
  /** How many attempts are used. */
  readonly attempts: number;
  /** When its next attempt is due, if it waits for one. */
  readonly dueAt: number | undefined;
}

const pendingColumns = (now: number): readonly Column<PendingRow>[] => [
  { head: 'entry', cell: ({ entryId }) => entryId },
  { head: 'consumer', cell: ({ consumer }) => consumer, shrinks: 'middle' },
  { head: 'idle', cell: ({ idleMs }) => spanText(idleMs), right: true },
  { head: 'delivered', cell: ({ deliveries }) => deliveries, right: true },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
  {
    head: 'next attempt',
    cell: ({ dueAt }) => (dueAt === undefined ? undefined : dueText(dueAt - now)),
  },
];

export const pending = onGroup(async (session, stream, group, query: PendingQuery) => {
  const { client, prefix } = session;
  await groupOf(session, stream, group);
  const keys = streamKeys(prefix, stream, group);
  const now = await redisTimeMs(client);
  const rows = await pendingRows(client, keys, group, query, now);
  await session.rows(rows, pendingColumns(now), 'Nothing is pending.');
  const last = rows.at(-1);
  if (last !== undefined && rows.length === query.limit) {
    session.note(`The next page: --after ${last.entryId}`);
  }
});

async function pendingRows(
  client: Redis,
  keys: StreamKeys,
  group: string,
  { after, limit, minIdle, consumer }: PendingQuery,
  nowMs: number,
): Promise<PendingRow[]> {
  const reply = await client.call(
    'XPENDING',
    keys.stream,
    group,
    ...(minIdle === undefined ? [] : ['IDLE', minIdle]),
    after === undefined ? '-' : `(${after}`,
    '+',
    limit,
    ...(consumer === undefined ? [] : [consumer]),
  );
  const rows = parseList(reply, 'XPENDING').map((row) => parseList(row, 'XPENDING'));
  if (rows.length === 0) return [];
  const ids = rows.map(([id]) => parseText(id, 'XPENDING'));
  const [attempts, due] = await Promise.all([
    client.hmget(keys.attempts, ...ids),
    client.zmscore(keys.retries, ...ids),
  ]);
  return rows.map(([, owner, idle, deliveries], at) => ({
    entryId: ids[at] ?? '',
    consumer: parseText(owner, 'XPENDING'),
    idleMs: Number(idle),
    deliveries: Number(deliveries),
    attempts: attemptsUsed(attempts[at]),
    dueAt: due[at] == null ? undefined : dueMs(due[at], nowMs),
  }));
}

interface RetryRow {
  /** An entry waits for its next attempt, or for the end of another entry's lease; a redrive is a dead letter. */
  readonly kind: 'entry' | 'redrive';
  readonly id: string;
  readonly attempts: number;
  readonly dueAt: string | undefined;
  readonly dueInMs: number;
}

const RETRIES: readonly Column<RetryRow>[] = [
  { head: 'kind', cell: ({ kind }) => kind },
  { head: 'id', cell: ({ id }) => id, shrinks: 'end' },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
  { head: 'due', cell: ({ dueInMs }) => dueText(dueInMs) },
];

export const retries = onGroup(async (session, stream, group, { limit }: { limit: number }) => {
  const { client, prefix } = session;
  await groupOf(session, stream, group);
  const keys = streamKeys(prefix, stream, group);
  const [now, all, scored] = await Promise.all([
    redisTimeMs(client),
    client.zcard(keys.retries),
    client.zrange(keys.retries, 0, String(limit - 1), 'WITHSCORES'),
  ]);
  const members = scored.filter((_, at) => at % 2 === 0);
  const attempts = members.length === 0 ? [] : await client.hmget(keys.attempts, ...members);
  const rows = members.map((member, at): RetryRow => {
    const dueAtMs = dueMs(scored[at * 2 + 1] ?? '', now);
    const { kind, id } = parseRowId(member);
    return {
      kind,
      id,
      attempts: attemptsUsed(attempts[at]),
      dueAt: timeText(dueAtMs),
      dueInMs: dueAtMs - now,
    };
  });
  await session.rows(rows, RETRIES, 'Nothing waits.');
  if (all > rows.length) session.note(`${rows.length} of ${all}; more with --limit`);
});

/** When a retry is due. A negative score means that a consumer handed the entry back: it is due now. */
const dueMs = (score: string, nowMs: number): number =>
  Number(score) < 0 ? nowMs : Math.ceil(Number(score));

/** The number of used attempts; in Redis a letter may follow it. */
const attemptsUsed = (row: string | null | undefined): number =>
  Number.parseInt(row ?? '0', 10) || 0;
