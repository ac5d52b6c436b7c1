import type { Command } from 'commander';
import { redisTimeMs } from '../../redis/server/redis-time.js';
import { isRedrive, streamIdOf } from '../../wire/redrive-member.js';
import { streamKeys } from '../../wire/stream-keys.js';
import { dueText, timeText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { groupOf } from '../reading/group-rows.js';
import { attemptsUsed, dueMs } from '../reading/pending-rows.js';
import { Session } from '../session.js';

interface RetryRow {
  /** An entry waits for its next attempt, or for the end of another entry's lease; a redrive is a dead letter. */
  readonly kind: 'entry' | 'redrive';
  readonly id: string;
  readonly attempts: number;
  readonly dueAt: string | undefined;
  readonly dueInMs: number;
}

const COLUMNS: readonly Column<RetryRow>[] = [
  { head: 'kind', cell: ({ kind }) => kind },
  { head: 'id', cell: ({ id }) => id, shrinks: 'end' },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
  { head: 'due', cell: ({ dueInMs }) => dueText(dueInMs) },
];

export const retries = (
  stream: string,
  group: string,
  { limit }: { limit: number },
  command: Command,
): Promise<void> =>
  Session.with(command, async (session) => {
    await groupOf(session, stream, group);
    const { rows, all } = await retryRows(session, stream, group, limit);
    await session.rows(rows, COLUMNS, 'Nothing waits.');
    if (all > rows.length) session.note(`${rows.length} of ${all}; more with --limit`);
  });

async function retryRows(
  { client, prefix }: Session,
  stream: string,
  group: string,
  limit: number,
): Promise<{ rows: RetryRow[]; all: number }> {
  const keys = streamKeys(prefix, stream, group);
  const [now, all, scored] = await Promise.all([
    redisTimeMs(client),
    client.zcard(keys.retries),
    client.zrange(keys.retries, 0, String(limit - 1), 'WITHSCORES'),
  ]);
  const members = scored.filter((_, at) => at % 2 === 0);
  if (members.length === 0) return { rows: [], all };
  const attempts = await client.hmget(keys.attempts, ...members);
  const rows = members.map((member, at): RetryRow => {
    const dueAtMs = dueMs(scored[at * 2 + 1] ?? '', now);
    return {
      kind: isRedrive(member) ? 'redrive' : 'entry',
      id: streamIdOf(member),
      attempts: attemptsUsed(attempts[at]),
      dueAt: timeText(dueAtMs),
      dueInMs: dueAtMs - now,
    };
  });
  return { rows, all };
}
