import type { Command } from 'commander';
import { isRedrive, streamIdOf } from '../../wire/ids.js';
import { streamKeys } from '../../wire/stream-keys.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { wholeNumber } from '../arguments.js';
import { timeText } from '../output/age.js';
import type { Column } from '../output/table.js';
import { attemptsUsed, dueMs } from '../reading/pending-rows.js';
import { groupOf } from '../reading/group-rows.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

interface RetryRow {
  /** An entry waits for its next attempt, or for the end of another's lease; or a dead letter is redriven. */
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
  { head: 'due', cell: ({ dueInMs }) => text.due(dueInMs) },
];

export function retriesCommand(program: Command): void {
  program
    .command('retries')
    .summary('what waits for its next attempt')
    .description(text.RETRIES)
    .argument('<stream>', "the stream's name, without --prefix")
    .argument('<group>', 'the consumer group')
    .option('-n, --limit <count>', 'how many', wholeNumber(1, 1_000), 100)
    .addHelpText('after', text.example('retries orders billing'))
    .action((stream: string, group: string, { limit }: { limit: number }, command: Command) =>
      Session.with(command, async (session) => {
        await groupOf(session, stream, group);
        const { rows, all } = await retryRows(session, stream, group, limit);
        session.rows(rows, COLUMNS, text.NO_RETRIES);
        if (all > rows.length) session.note(text.notAll(rows.length, all));
      }),
    );
}

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
