import type { Command } from 'commander';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type GroupConsumer,
  unlistedMembers,
  withMemberReports,
} from '../../redis/read/own-records.js';
import { readConsumers } from '../../redis/read/xinfo.js';
import { streamKey } from '../../wire/stream-keys.js';
import { type Column, tableText } from '../output/table.js';
import { untilInterrupted } from '../output/terminal.js';
import { spanText } from '../output/text.js';
import { groupOf, type GroupRow, groupRows, membersOf } from '../reading/group-rows.js';
import { streamOf, streamsOf } from '../reading/streams.js';
import { onGroup, Session } from '../session.js';

/** The number of living members. If none reports itself, the number of consumers that Redis lists is a guess. */
const ALIVE: Column<GroupRow> = {
  head: 'alive',
  cell: ({ alive, consumers }) => alive ?? (consumers === undefined ? undefined : `${consumers}?`),
  right: true,
};
const OLDEST: Column<GroupRow> = {
  head: 'oldest',
  cell: ({ oldestPendingMs: ms }) => (ms === undefined ? undefined : spanText(ms)),
  right: true,
};

const OVERVIEW: readonly Column<GroupRow>[] = [
  { head: 'stream', cell: ({ stream }) => stream, shrinks: 'end' },
  { head: 'group', cell: ({ group }) => group, shrinks: 'end' },
  { head: 'length', cell: ({ length }) => length, right: true },
  { head: 'lag', cell: ({ lag }) => lag, right: true },
  { head: 'pend', cell: ({ pending }) => pending, right: true },
  OLDEST,
  { head: 'retry', cell: ({ retries }) => retries, right: true },
  { head: 'dead', cell: ({ deadLetters }) => deadLetters, right: true },
  { head: 'ledger', cell: ({ ledger }) => ledger, right: true },
  ALIVE,
];

const GROUPS: readonly Column<GroupRow>[] = [
  { head: 'group', cell: ({ group }) => group, shrinks: 'end' },
  ALIVE,
  { head: 'lag', cell: ({ lag }) => lag, right: true },
  { head: 'pending', cell: ({ pending }) => pending, right: true },
  OLDEST,
  { head: 'retries', cell: ({ retries }) => retries, right: true },
  { head: 'dead', cell: ({ deadLetters }) => deadLetters, right: true },
  { head: 'last delivered', cell: ({ lastDeliveredId }) => lastDeliveredId },
];

const CONSUMERS: readonly Column<GroupConsumer>[] = [
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

/** Moves the cursor to the top left and clears the screen. */
const CLEAR = '\u001B[H\u001B[J';

export const overview = (
  streams: string[],
  { watch = false, every }: { watch?: boolean; every: number },
  command: Command,
): Promise<void> =>
  Session.with(command, async (session) => {
    if (watch) {
      await untilInterrupted((signal) => watchRows(session, streams, every, signal));
    } else {
      const rows = await groupRows(session, await streamsOf(session, streams));
      await session.rows(rows, OVERVIEW, noStreams(session.prefix));
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
        rows.length === 0 ? noStreams(session.prefix) : tableText(rows, OVERVIEW, session.width);
      return `${isScreen ? CLEAR : ''}${title}\n\n${table}${isScreen ? '' : '\n'}`;
    });
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

const noStreams = (prefix: string): string =>
  prefix === '' ? 'There are no streams.' : `There are no streams that begin with "${prefix}".`;

export const groups = (stream: string, _flags: unknown, command: Command): Promise<void> =>
  Session.with(command, async (session) => {
    await streamOf(session, stream);
    const rows = await groupRows(session, [stream]);
    const found = rows.filter(({ group }) => group !== undefined);
    await session.rows(found, GROUPS, `Stream "${stream}" has no groups.`);
  });

export const consumers = onGroup(async (session, stream, group) => {
  const { client, prefix } = session;
  await groupOf(session, stream, group);
  const [listed, members] = await Promise.all([
    readConsumers(client, streamKey(prefix, stream), group),
    membersOf(client, prefix, stream, group),
  ]);
  const rows = [...withMemberReports(listed, members), ...unlistedMembers(listed, members)];
  await session.rows(rows, CONSUMERS, `Group "${group}" has no consumers.`);
});
