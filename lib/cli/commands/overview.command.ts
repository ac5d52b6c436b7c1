import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { parseSpan } from '../arguments.js';
import { spanText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { tableText } from '../output/table.js';
import { aliveText, type GroupRow, groupRows } from '../reading/group-rows.js';
import { streamsOf } from '../reading/streams-of.js';
import { Session } from '../session.js';
import { untilInterrupted } from '../until-interrupted.js';
import * as text from './commands.messages.js';

interface Flags {
  readonly watch?: boolean;
  readonly every: number;
}

const COLUMNS: readonly Column<GroupRow>[] = [
  { head: 'stream', cell: ({ stream }) => stream, shrinks: 'end' },
  { head: 'group', cell: ({ group }) => group, shrinks: 'end' },
  { head: 'length', cell: ({ length }) => length, right: true },
  { head: 'lag', cell: ({ lag }) => lag, right: true },
  { head: 'pend', cell: ({ pending }) => pending, right: true },
  {
    head: 'oldest',
    cell: ({ oldestPendingMs: ms }) => (ms === undefined ? undefined : spanText(ms)),
    right: true,
  },
  { head: 'retry', cell: ({ retries }) => retries, right: true },
  { head: 'dead', cell: ({ deadLetters }) => deadLetters, right: true },
  { head: 'ledger', cell: ({ ledger }) => ledger, right: true },
  { head: 'alive', cell: aliveText, right: true },
];

/** To the top left, and nothing below. */
const HOME = '\u001B[H\u001B[J';

export function overviewCommand(program: Command): void {
  program
    .command('overview')
    .summary('all streams and groups in one table')
    .description(text.OVERVIEW)
    .argument('[streams...]', 'only these; else all that SCAN finds under --prefix')
    .option('-w, --watch', 'again and again, until Ctrl-C')
    .option('--every <span>', 'with --watch: how often', parseSpan, 2_000)
    .addHelpText('after', text.example('overview --watch --every 5s'))
    .action((streams: string[], { watch = false, every }: Flags, command: Command) =>
      Session.with(command, async (session) => {
        if (!watch) {
          const rows = await groupRows(session, await streamsOf(session, streams));
          return session.rows(rows, COLUMNS, text.noStreams(session.prefix));
        }
        await untilInterrupted((signal) => watchRows(session, streams, every, signal));
      }),
    );
}

async function watchRows(
  session: Session,
  streams: readonly string[],
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  const isScreen = process.stdout.isTTY && !session.isJson;
  while (!signal.aborted) {
    const rows = await groupRows(session, await streamsOf(session, streams));
    const at = new Date().toISOString();
    session.line({ at, rows }, () => {
      const table =
        rows.length === 0
          ? text.noStreams(session.prefix)
          : tableText(rows, COLUMNS, session.width);
      return `${isScreen ? HOME : ''}${text.watching(at, everyMs)}\n\n${table}${isScreen ? '' : '\n'}`;
    });
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
