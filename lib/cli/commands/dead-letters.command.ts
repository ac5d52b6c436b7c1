import type { Command } from 'commander';
import type { DeadLetters } from '../../dead-letters/dead-letters.js';
import type { DeadLetterFilter } from '../../dead-letters/dead-letters.arguments.js';
import { collect, parseDeadLetterId, wholeNumber } from '../arguments.js';
import { CliError, UsageError } from '../cli.error.js';
import { openBar } from '../output/bar.js';
import { confirm } from '../output/confirm.js';
import { quietNest } from '../quiet-nest.js';
import { groupOf, groupOfAny } from '../reading/group-rows.js';
import { partitionsOf } from '../reading/partitions-of.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';
import { DEAD_LETTER_COLUMNS, deadLetterJson, deadLetterText } from './dead-letter-words.js';

interface WhichFlags {
  readonly all?: boolean;
  readonly error?: string;
  readonly limit?: number;
}

export function deadLettersCommand(program: Command): void {
  const group = program
    .command('dead-letters')
    .summary('what a group has given up: list, show, redrive, purge')
    .description(text.DEAD_LETTERS);
  const command = (name: string, summary: string): Command =>
    group
      .command(name)
      .summary(summary)
      .argument('<stream>', "the stream's name, without --prefix")
      .argument('<group>', 'the consumer group');
  listCommand(command('list', 'a page of them, the newest first').alias('ls'));
  showCommand(command('show', 'one of them, with error and payload'));
  redriveCommand(command('redrive', 'have them run again'));
  purgeCommand(command('purge', 'throw them away'));
}

function listCommand(command: Command): void {
  command
    .description(text.LIST)
    .option('-n, --limit <count>', 'how many', wholeNumber(1, 1_000), 20)
    .option('--before <id>', 'those older than this one: the next page', parseDeadLetterId)
    .addHelpText('after', text.example('dead-letters list orders billing'))
    .action(
      (
        stream: string,
        group: string,
        { limit, before }: { limit: number; before?: string },
        self: Command,
      ) =>
        withDeadLetters(self, stream, group, async (session, letters) => {
          const page = await letters.list({
            stream,
            group,
            limit,
            ...(before === undefined ? {} : { before }),
          });
          if (session.isJson) return session.answer(page.map(deadLetterJson), () => '');
          session.rows(page, DEAD_LETTER_COLUMNS, text.NO_DEAD_LETTERS);
          const last = page.at(-1);
          if (last !== undefined && page.length === limit) {
            session.note(text.morePages(`--before ${last.id}`));
          }
        }),
    );
}

function showCommand(command: Command): void {
  command
    .description(text.SHOW)
    .argument('<id>', 'its ID, as `list` shows it', parseDeadLetterId)
    .addHelpText('after', text.example('dead-letters show orders billing 1729768245123-0'))
    .action((stream: string, group: string, id: string, _flags: unknown, self: Command) =>
      withDeadLetters(self, stream, group, async (session, letters) => {
        const letter = await letters.get({ stream, group, id });
        if (letter === undefined) throw new CliError(text.noSuchDeadLetter(id));
        session.answer(deadLetterJson(letter), () => deadLetterText(letter));
      }),
    );
}

function redriveCommand(command: Command): void {
  which(command)
    .description(text.REDRIVE)
    .option('-n, --limit <count>', 'at most so many, the oldest first', wholeNumber(1))
    .addHelpText(
      'after',
      text.example(
        'dead-letters redrive orders billing 1729768245123-0',
        'dead-letters redrive orders billing --error TimeoutError --limit 100',
      ),
    )
    .action((stream: string, group: string, ids: string[], flags: WhichFlags, self: Command) => {
      const some = someOf(ids, flags);
      return withDeadLetters(self, stream, group, async (session, letters) => {
        const { limit } = flags;
        const bar = openBar('Redriving', ids.length || (await letters.count({ stream, group })));
        const { redriven } = await letters
          .redrive({
            stream,
            group,
            ...some,
            ...(limit === undefined ? {} : { limit }),
            onProgress: ({ scanned, total }) => bar.to(scanned, total),
          })
          .finally(() => bar.end());
        session.answer({ redriven }, () => text.redriven(redriven));
      });
    });
}

function purgeCommand(command: Command): void {
  which(command)
    .description(text.PURGE)
    .addHelpText('after', text.example('dead-letters purge orders billing --all --yes'))
    .action((stream: string, group: string, ids: string[], flags: WhichFlags, self: Command) => {
      const { filter } = someOf(ids, flags);
      return withDeadLetters(self, stream, group, async (session, letters) => {
        const total = ids.length || (await letters.count({ stream, group }));
        await confirm(text.purgeQuestion(total, stream, group, flags.error), session.yes);
        const bar = openBar('Purging', total);
        let seen = 0;
        const counted: DeadLetterFilter = (letter) => {
          bar.to((seen += 1));
          return filter === undefined || filter(letter);
        };
        const { purged } = await letters
          .purge({ stream, group, ...(ids.length > 0 ? { ids } : { filter: counted }) })
          .finally(() => bar.end());
        session.answer({ purged }, () => text.purged(purged));
      });
    });
}

const collectIds = (given: string, before?: readonly string[]): string[] =>
  collect(parseDeadLetterId(given), before);

const which = (command: Command): Command =>
  command
    .argument('[ids...]', 'their IDs, as `list` shows them', collectIds)
    .option('--all', 'all that there are')
    .option('--error <name>', 'those that failed with an error of this name');

function someOf(
  ids: readonly string[],
  { all = false, error }: WhichFlags,
): { ids?: readonly string[]; filter?: never } | { ids?: never; filter?: DeadLetterFilter } {
  const ways = [ids.length > 0, all, error !== undefined].filter(Boolean).length;
  if (ways !== 1) throw new UsageError(ways === 0 ? text.WHICH : text.WHICH_ONE);
  if (ids.length > 0) return { ids };
  return error === undefined ? {} : { filter: (letter) => letter.error?.name === error };
}

function withDeadLetters(
  command: Command,
  stream: string,
  group: string,
  work: (session: Session, letters: DeadLetters) => Promise<void>,
): Promise<void> {
  return Session.with(command, async (session) => {
    const { client, prefix, codec } = session;
    // Nest takes a while to load, which no other command should pay for.
    await quietNest();
    const { DeadLetters } = await import('../../dead-letters/dead-letters.js');
    const partitions = await partitionsOf(session, stream);
    const streams = partitions === undefined ? {} : { [stream]: { partitions } };
    const letters = new DeadLetters({ connection: client, keyPrefix: prefix, codec, streams });
    // They outlive their stream; what has none and no stream either is most often misspelt.
    if ((await letters.count({ stream, group })) === 0) {
      const isThere = partitions === undefined ? groupOf : groupOfAny;
      await isThere(session, stream, group);
    }
    try {
      await work(session, letters);
    } finally {
      letters.close();
    }
  });
}
