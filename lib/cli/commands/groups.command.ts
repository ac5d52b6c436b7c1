import type { Command } from 'commander';
import { spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { aliveText, type GroupRow, groupRows } from '../reading/group-rows.js';
import { streamOf } from '../reading/streams-of.js';
import { Session } from '../session.js';

const COLUMNS: readonly Column<GroupRow>[] = [
  { head: 'group', cell: ({ group }) => group, shrinks: 'end' },
  { head: 'alive', cell: aliveText, right: true },
  { head: 'lag', cell: ({ lag }) => lag, right: true },
  { head: 'pending', cell: ({ pending }) => pending, right: true },
  {
    head: 'oldest',
    cell: ({ oldestPendingMs: ms }) => (ms === undefined ? undefined : spanText(ms)),
    right: true,
  },
  { head: 'retries', cell: ({ retries }) => retries, right: true },
  { head: 'dead', cell: ({ deadLetters }) => deadLetters, right: true },
  { head: 'last delivered', cell: ({ lastDeliveredId }) => lastDeliveredId },
];

export const groups = (stream: string, _flags: unknown, command: Command): Promise<void> =>
  Session.with(command, async (session) => {
    await streamOf(session, stream);
    const rows = await groupRows(session, [stream]);
    const found = rows.filter(({ group }) => group !== undefined);
    await session.rows(found, COLUMNS, `Stream "${stream}" has no groups.`);
  });
