import type { Command } from 'commander';
import { streamKey } from '../../wire/stream-keys.js';
import {
  type GroupConsumer,
  unlistedMembers,
  withMemberReports,
} from '../../redis/read/group-members.js';
import { readConsumers } from '../../redis/read/xinfo.js';
import { spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { groupOf } from '../reading/group-rows.js';
import { membersOf } from '../reading/members-of.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

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

export function consumersCommand(program: Command): void {
  program
    .command('consumers')
    .summary('the members of a group')
    .description(text.CONSUMERS)
    .argument('<stream>', "the stream's name, without --prefix")
    .argument('<group>', 'the consumer group')
    .addHelpText('after', text.example('consumers orders billing'))
    .action((stream: string, group: string, _flags: unknown, command: Command) =>
      Session.with(command, async (session) => {
        const { client, prefix } = session;
        await groupOf(session, stream, group);
        const [listed, members] = await Promise.all([
          readConsumers(client, streamKey(prefix, stream), group),
          membersOf(client, prefix, stream, group),
        ]);
        const rows = [...withMemberReports(listed, members), ...unlistedMembers(listed, members)];
        session.rows(rows, COLUMNS, text.noConsumers(group));
      }),
    );
}
