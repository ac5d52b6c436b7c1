import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { spanText } from '../output/age.js';
import { type Column, tableText } from '../output/table.js';
import { aliveText, type GroupRow, groupRows } from '../reading/group-rows.js';
import { streamsOf } from '../reading/streams-of.js';
import { Session } from '../session.js';
import { untilInterrupted } from '../until-interrupted.js';

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

/** Moves the cursor to the top left and clears the screen. */
const CLEAR = '\u001B[H\u001B[J';

const noStreams = (prefix: string): string =>
  prefix === '' ? 'There are no streams.' : `There are no streams that begin with "${prefix}".`;

export const overview = (
  streams: string[],
  { watch = false, every }: Flags,
  command: Command,
): Promise<void> =>
  Session.with(command, async (session) => {
    if (watch) {
      await untilInterrupted((signal) => watchRows(session, streams, every, signal));
    } else {
      const rows = await groupRows(session, await streamsOf(session, streams));
      await session.rows(rows, COLUMNS, noStreams(session.prefix));
    }
  });

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
      const title = `${at}, every ${spanText(everyMs)}, Ctrl-C ends it`;
      const table =
        rows.length === 0 ? noStreams(session.prefix) : tableText(rows, COLUMNS, session.width);
      return `${isScreen ? CLEAR : ''}${title}\n\n${table}${isScreen ? '' : '\n'}`;
    });
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
