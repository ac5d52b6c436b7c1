import type { Command } from 'commander';
import { collect, examples, lazily, ofGroup, parseDeadLetterId, wholeNumber } from './arguments.js';

/** Adds the commands for what a group has given up. */
export function addDeadLetterCommands(program: Command): void {
  const group = program
    .command('dead-letters')
    .summary('the messages a group has given up: list, show, redrive, purge')
    .description('The messages that a group has given up.');

  ofGroup(group.command('list'))
    .alias('ls')
    .summary('a page of them, the newest first')
    .description("A group's dead letters, the newest first.")
    .option('-n, --limit <count>', 'at most this many', wholeNumber(1, 1_000), 20)
    .option('--before <id>', 'those older than this one: the next page', parseDeadLetterId)
    .addHelpText('after', examples('dead-letters list orders billing'))
    .action(lazily(async () => (await import('../commands/dead-letters.command.js')).list));

  ofGroup(group.command('show'))
    .summary('one of them, with error and payload')
    .description('One dead letter with everything known about it: error, payload and headers.')
    .argument('<id>', 'its ID, as `list` shows it', parseDeadLetterId)
    .addHelpText('after', examples('dead-letters show orders billing 1729768245123-0'))
    .action(lazily(async () => (await import('../commands/dead-letters.command.js')).show));

  whichOf(ofGroup(group.command('redrive')))
    .summary('run them again')
    .description(
      'Runs dead letters again: in their group alone, under their message ID, beginning with attempt 1. Each stays a dead letter until its run is settled (at most once: until its handler starts). This needs a consumer of the group.',
    )
    .option('-n, --limit <count>', 'at most this many, the oldest first', wholeNumber(1))
    .addHelpText(
      'after',
      examples(
        'dead-letters redrive orders billing 1729768245123-0',
        'dead-letters redrive orders billing --error TimeoutError --limit 100',
      ),
    )
    .action(lazily(async () => (await import('../commands/dead-letters.command.js')).redrive));

  whichOf(ofGroup(group.command('purge')))
    .summary('delete them')
    .description('Deletes dead letters for good.')
    .addHelpText('after', examples('dead-letters purge orders billing --all --yes'))
    .action(lazily(async () => (await import('../commands/dead-letters.command.js')).purge));
}

const whichOf = (command: Command): Command =>
  command
    .argument('[ids...]', 'their IDs, as `list` shows them', collectIds)
    .option('--all', 'all of them')
    .option('--error <name>', 'those that failed with an error of this name');

const collectIds = (given: string, before?: readonly string[]): string[] =>
  collect(parseDeadLetterId(given), before);
