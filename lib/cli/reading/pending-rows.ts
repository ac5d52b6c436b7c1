import type { Redis } from 'ioredis';
import type { StreamKeys } from '../../wire/stream-keys.js';
import { parseList, parseText } from '../../redis/read/replies.js';

/** An entry that a consumer was given and that is not settled. */
export interface PendingRow {
  readonly entryId: string;
  readonly consumer: string;
  readonly idleMs: number;
  readonly deliveries: number;
  /** Attempts that are used up. */
  readonly attempts: number;
  /** When its next attempt is due, where it waits for one. */
  readonly dueAt: number | undefined;
}

/** Which pending entries are wanted. */
export interface PendingQuery {
  readonly after?: string;
  readonly limit: number;
  readonly minIdle?: number;
  readonly consumer?: string;
}

/** A page of what is pending in a group, the oldest first. */
export async function pendingRows(
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

/** The time in a row of the retries. What was handed back is due, and has none: its score is below zero. */
export const dueMs = (score: string, nowMs: number): number =>
  Number(score) < 0 ? nowMs : Number(score);

/** The number in a row of the attempts; a letter may follow it. */
export const attemptsUsed = (row: string | null | undefined): number =>
  Number.parseInt(row ?? '0', 10) || 0;
