import type { Command } from 'commander';
import { spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { aliveText, type GroupRow, groupRows } from '../reading/group-rows.js';
import { streamOf } from '../reading/streams-of.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

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

export function groupsCommand(program: Command): void {
  program
    .command('groups')
    .summary('the groups of a stream')
    .description(text.GROUPS)
    .argument('<stream>', "the stream's name, without --prefix")
    .addHelpText('after', text.example('groups orders'))
    .action((stream: string, _flags: unknown, command: Command) =>
      Session.with(command, async (session) => {
        await streamOf(session, stream);
        const rows = await groupRows(session, [stream]);
        const groups = rows.filter(({ group }) => group !== undefined);
        session.rows(groups, COLUMNS, text.noGroups(stream));
      }),
    );
}
