import type { Command } from 'commander';
import { redisTimeMs } from '../../redis/server/redis-time.js';
import { streamKeys } from '../../wire/stream-keys.js';
import { dueText, spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { groupOf } from '../reading/group-rows.js';
import { type PendingQuery, type PendingRow, pendingRows } from '../reading/pending-rows.js';
import { Session } from '../session.js';

const columns = (now: number): readonly Column<PendingRow>[] => [
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

export const pending = (
  stream: string,
  group: string,
  query: PendingQuery,
  command: Command,
): Promise<void> =>
  Session.with(command, async (session) => {
    const { client, prefix } = session;
    await groupOf(session, stream, group);
    const keys = streamKeys(prefix, stream, group);
    const now = await redisTimeMs(client);
    const rows = await pendingRows(client, keys, group, query, now);
    await session.rows(rows, columns(now), 'Nothing is pending.');
    const last = rows.at(-1);
    if (last !== undefined && rows.length === query.limit) {
      session.note(`The next page: --after ${last.entryId}`);
    }
  });
