import type { Command } from 'commander';
import { streamKeys } from '../../wire/stream-keys.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { parseEntryId, parseSpan, wholeNumber } from '../arguments.js';
import { spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { groupOf } from '../reading/group-rows.js';
import { type PendingQuery, type PendingRow, pendingRows } from '../reading/pending-rows.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

const columns = (now: number): readonly Column<PendingRow>[] => [
  { head: 'entry', cell: ({ entryId }) => entryId },
  { head: 'consumer', cell: ({ consumer }) => consumer, shrinks: 'middle' },
  { head: 'idle', cell: ({ idleMs }) => spanText(idleMs), right: true },
  { head: 'delivered', cell: ({ deliveries }) => deliveries, right: true },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
  {
    head: 'next attempt',
    cell: ({ dueAt }) => (dueAt === undefined ? undefined : text.due(dueAt - now)),
  },
];

export function pendingCommand(program: Command): void {
  program
    .command('pending')
    .summary('what a group was given and has not settled')
    .description(text.PENDING)
    .argument('<stream>', "the stream's name, without --prefix")
    .argument('<group>', 'the consumer group')
    .option('-n, --limit <count>', 'how many', wholeNumber(1, 1_000), 100)
    .option('--after <entryId>', 'those after this one: the next page', parseEntryId)
    .option('--min-idle <span>', 'only what nobody touched for so long', parseSpan)
    .option('--consumer <name>', 'only what this consumer has')
    .addHelpText('after', text.example('pending orders billing --min-idle 5m'))
    .action((stream: string, group: string, query: PendingQuery, command: Command) =>
      Session.with(command, async (session) => {
        const { client, prefix } = session;
        await groupOf(session, stream, group);
        const keys = streamKeys(prefix, stream, group);
        const now = await redisTimeMs(client);
        const rows = await pendingRows(client, keys, group, query, now);
        session.rows(rows, columns(now), text.NOTHING_PENDING);
        const last = rows.at(-1);
        if (last !== undefined && rows.length === query.limit) {
          session.note(text.morePages(`--after ${last.entryId}`));
        }
      }),
    );
}
