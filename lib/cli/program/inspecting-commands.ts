import type { Command } from 'commander';
import {
  examples,
  lazily,
  ofGroup,
  ofStream,
  parseEntryId,
  parseSpan,
  wholeNumber,
} from './arguments.js';

/** Adds the commands that change nothing. */
export function addInspectingCommands(program: Command): void {
  program
    .command('overview')
    .summary('all streams and groups in one table')
    .description(
      'All streams and their groups. "lag" counts the entries not yet delivered to the group, "-" if Redis cannot know it. "pend" counts pending entries, and "oldest" is the age of the oldest one. "retry" counts messages that wait for their next attempt, "dead" dead letters, "alive" the members that are alive: "2?" if none reports it and Redis lists two.',
    )
    .argument('[streams...]', 'only these; otherwise all that SCAN finds under --prefix')
    .option('-w, --watch', 'print it again and again, until Ctrl-C')
    .option('--every <span>', 'with --watch: how often', parseSpan, 2_000)
    .addHelpText('after', examples('overview --watch --every 5s'))
    .action(lazily(async () => (await import('../commands/groups.command.js')).overview));

  ofStream(program.command('groups'))
    .summary('the groups of a stream')
    .description('The groups of a stream, and how far each has read.')
    .addHelpText('after', examples('groups orders'))
    .action(lazily(async () => (await import('../commands/groups.command.js')).groups));

  ofGroup(program.command('pending'))
    .summary('the entries a group has not settled')
    .description(
      'The entries that were delivered to a group and are not settled: they run, wait for their next attempt, or were left by a consumer that is gone.',
    )
    .option('-n, --limit <count>', 'at most this many', wholeNumber(1, 1_000), 100)
    .option('--after <entryId>', 'those after this entry: the next page', parseEntryId)
    .option('--min-idle <span>', 'only entries that have been idle for so long', parseSpan)
    .option('--consumer <name>', 'only the entries of this consumer')
    .addHelpText('after', examples('pending orders billing --min-idle 5m'))
    .action(lazily(async () => (await import('../commands/pending.command.js')).pending));

  ofGroup(program.command('consumers'))
    .summary('the members of a group')
    .description(
      'The members of a group: their pending entries, how long each has been idle, and whether it reports that it is alive. Redis before 7.2 does not list a consumer that still waits in its first read, and shows one without work as idle.',
    )
    .addHelpText('after', examples('consumers orders billing'))
    .action(lazily(async () => (await import('../commands/groups.command.js')).consumers));

  ofStream(program.command('tail'))
    .summary('follow a stream, decoded')
    .description(
      'Prints the last entries of a stream, then each new one, decoded with --codec. It joins no group, and takes nothing from any.',
    )
    .option('-n, --last <count>', 'begin with the last entries', wholeNumber(0, 1_000), 10)
    .option('--from <entryId>', 'begin with this entry instead', parseEntryId)
    .option('--no-follow', 'end after the entries that the stream has now')
    .addHelpText('after', examples('tail orders -n 20', 'tail orders --json | jq .payload'))
    .action(lazily(async () => (await import('../commands/tail.command.js')).tail));

  ofGroup(program.command('retries'))
    .summary('what waits for its next attempt')
    .description(
      'What waits in a group: entries for their next attempt, or for the end of a lease on their message; and dead letters that are redriven.',
    )
    .option('-n, --limit <count>', 'at most this many', wholeNumber(1, 1_000), 100)
    .addHelpText('after', examples('retries orders billing'))
    .action(lazily(async () => (await import('../commands/pending.command.js')).retries));

  program
    .command('doctor')
    .summary('find problems, and say what to do')
    .description(
      "Looks for what is wrong or will go wrong: the server's version and settings, missing rights of this user, groups without consumers, consumers that are gone, streams that nothing trims, unread entries close to being trimmed. It changes nothing. Exit code 3 if it found something. Redis does not store your retention: pass it with --max-age and --max-length.",
    )
    .argument('[streams...]', 'only these; otherwise all that SCAN finds under --prefix')
    .option('--max-age <span>', "the streams' retention by age", parseSpan)
    .option('--max-length <count>', "the streams' retention by length", wholeNumber(1))
    .option(
      '--gone-after <span>',
      'a consumer that does not report itself is gone after being idle for so long',
      parseSpan,
      300_000,
    )
    .addHelpText('after', examples('doctor --max-age 7d', 'doctor orders --json'))
    .action(lazily(async () => (await import('../commands/doctor.command.js')).doctor));
}
