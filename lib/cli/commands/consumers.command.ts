import type { Command } from 'commander';
import { type GroupConsumer, unlistedOf, withLives } from '../../redis/read/group-members.js';
import { readConsumers } from '../../redis/read/stream-info.js';
import { streamKey } from '../../wire/stream-keys.js';
import { spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { groupOf } from '../reading/group-rows.js';
import { membersOf } from '../reading/members-of.js';
import { Session } from '../session.js';

const COLUMNS: readonly Column<GroupConsumer>[] = [
  { head: 'consumer', cell: ({ name }) => name, shrinks: 'middle' },
  { head: 'pending', cell: ({ pending }) => pending, right: true },
  {
    head: 'idle',
    cell: ({ idleMs }) => (idleMs === undefined ? undefined : spanText(idleMs)),
    right: true,
  },
  {
    head: 'alive',
    cell: ({ isAlive }) => (isAlive === undefined ? undefined : isAlive ? 'yes' : 'no'),
  },
  { head: 'version', cell: ({ version }) => version },
];

export const consumers = (
  stream: string,
  group: string,
  _flags: unknown,
  command: Command,
): Promise<void> =>
  Session.with(command, async (session) => {
    const { client, prefix } = session;
    await groupOf(session, stream, group);
    const [listed, members] = await Promise.all([
      readConsumers(client, streamKey(prefix, stream), group),
      membersOf(client, prefix, stream, group),
    ]);
    const rows = [...withLives(listed, members), ...unlistedOf(listed, members)];
    await session.rows(rows, COLUMNS, `Group "${group}" has no consumers.`);
  });
