import type { Command } from 'commander';
import { DEFAULTS } from '../../options/resolved-options.js';
import { MOST_PARTITIONS } from '../../wire/partitions.js';
import {
  collect,
  examples,
  lazily,
  ofGroup,
  ofStream,
  parseEntryId,
  parsePosition,
  parseSpan,
  wholeNumber,
} from './arguments.js';
import { addDeadLetterCommands } from './dead-letter-commands.js';

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

/** Adds the commands that write, and those that belong to them. */
export function addChangingCommands(program: Command): void {
  ofStream(program.command('publish'))
    .summary('publish a message')
    .description(
      'Publishes a message, as ClientRedisStreams does. The payload is JSON, from the argument or from stdin. With --text it is plain text, with --lines each line of stdin is a message.',
    )
    .argument('[message]', 'the payload, as JSON; otherwise it is read from stdin')
    .option('--message-id <id>', 'its message ID; otherwise a UUID')
    .option('--name <name>', "the kind of message; otherwise the stream's name")
    .option('--key <key>', 'the ordering key')
    .option('--header <name=value>', 'a header; may be given several times', collect)
    .option('--text', 'the payload is text, not JSON')
    .option('--lines', 'each line of stdin is a message')
    .option(
      '--partitions <count>',
      "the stream's number of partitions, as in the client's options",
      wholeNumber(1, MOST_PARTITIONS),
    )
    .addHelpText(
      'after',
      examples(
        `publish orders '{"item":"tea"}' --name order.created`,
        'publish orders --lines < orders.ndjson',
      ),
    )
    .action(lazily(async () => (await import('../commands/publish.command.js')).publish));

  addDeadLetterCommands(program);

  ofStream(program.command('trim'))
    .summary('remove old entries that all groups have finished')
    .description(
      'Removes entries older than --max-age, or beyond --max-length, as the scheduled retention does: it stops at the oldest entry that some group has not finished. Redis removes whole nodes of a stream, so a few entries more may stay. With --dry-run nothing is removed.',
    )
    .option('--max-age <span>', 'remove older entries', parseSpan)
    .option('--max-length <count>', 'keep this many entries', wholeNumber(1))
    .option(
      '--ignore-group <group>',
      'do not wait for this group; may be given several times',
      collect,
    )
    .option('--force', 'also remove unfinished entries: they are LOST')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .addHelpText('after', examples('trim orders --max-age 7d --dry-run'))
    .action(lazily(async () => (await import('../commands/trim.command.js')).trim));

  ofGroup(program.command('reset-group'))
    .summary('move a group back or forward in its stream')
    .description(
      'Moves a group to another position in its stream (XGROUP SETID), and it continues there. Its ledger stays, so a message that it handled within the window is acknowledged and not run again; --ignore-ledger forgets those that it meets again, --forget-ledger empties the ledger. Pending entries stay pending. Skipped entries are never delivered to the group. With --dry-run nothing is moved, and the messages that the group would get are counted.',
    )
    .requiredOption(
      '--to <position>',
      'beginning, latest, the ID of an entry: the group continues after it, a time such as 2026-03-01T08:00:00Z, or how long ago, such as 24h',
      parsePosition,
    )
    .option('--ignore-ledger', 'also run the messages that it meets again and has handled')
    .option('--forget-ledger', 'empty the ledger, so that messages it meets again are run again')
    .option('--dry-run', 'count what the group would get, and move nothing')
    .addHelpText(
      'after',
      examples(
        'reset-group orders billing --to 24h --dry-run',
        'reset-group orders billing --to 1729768245123-0',
      ),
    )
    .action(lazily(async () => (await import('../commands/reset-group.command.js')).resetGroup));

  addLedgerCommands(program);
}

function addLedgerCommands(program: Command): void {
  const ledger = program
    .command('ledger')
    .summary('the message IDs that a group has processed: size, forget, import')
    .description('The message IDs that a group has processed.');

  ofGroup(ledger.command('size'))
    .summary('how many there are')
    .description('How many message IDs the ledger has, and how old they are.')
    .addHelpText('after', examples('ledger size orders billing'))
    .action(lazily(async () => (await import('../commands/ledger.command.js')).size));

  ofGroup(ledger.command('forget'))
    .summary('remove some')
    .description(
      'Removes message IDs from the ledger, so that their messages run again when they come again: published again (after the window of publishDedup, 2 minutes by default), or because of reset-group.',
    )
    .argument('<messageIds...>', 'the message IDs')
    .addHelpText('after', examples('ledger forget orders billing order-7 order-8'))
    .action(lazily(async () => (await import('../commands/ledger.command.js')).forget));

  ofGroup(ledger.command('import'))
    .summary('take over the ledger of dtpyfw')
    .description(
      "Adds what another program has processed to the ledger, so that it does not run again in this group. The other program's ZSET has IDs of entries, or message IDs, and stays as it is. It may be repeated; what is older than --window is left out. Without --from the ZSET is dtpyfw's, stream:<stream>:group:<group>:processed.",
    )
    .option('--from <key>', 'the key of the ZSET')
    .option('--window <span>', "the group's dedup.windowMs", parseSpan, DEFAULTS.dedupWindowMs)
    .addHelpText('after', examples('ledger import orders orders:processor:cg'))
    .action(lazily(async () => (await import('../commands/ledger.command.js')).importFrom));
}
