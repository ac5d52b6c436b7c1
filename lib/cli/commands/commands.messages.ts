import { spanText } from '../output/age.js';
import { counted } from '../output/counted.js';

export const example = (...commands: readonly string[]): string =>
  `\n${commands.length > 1 ? 'Examples' : 'Example'}:\n${commands.map((command) => `  $ nest-streams ${command}`).join('\n')}`;

export const OVERVIEW = `All streams and their groups. "lag" is how many entries the group was not given yet, and "-" where Redis cannot know it; "oldest" is since when the oldest pending entry was published; "pend" are pending, "retry" wait for their next attempt, "dead" are dead letters, "alive" members that are alive: "2?" where none says so, and Redis lists two.`;

export const GROUPS = 'The groups of a stream, and how far each is.';

export const PENDING =
  'What a group was given and has not settled: it runs, waits for its next attempt, or was left by a consumer that is gone.';

export const CONSUMERS =
  'The members of a group, with what each has, since when it has not asked, and whether it says that it is alive. Redis before 7.2 does not list one whose first read waits, and calls one idle that has nothing to do.';

export const RETRIES =
  'What waits in a group: entries for their next attempt, or for the end of a lease on their message; and dead letters that are redriven.';

export const noStreams = (prefix: string): string =>
  prefix === '' ? 'There are no streams.' : `There are no streams that begin with "${prefix}".`;

export const noGroups = (stream: string): string => `Stream "${stream}" has no groups.`;

export const noConsumers = (group: string): string => `Group "${group}" has no consumers.`;

export const NOTHING_PENDING = 'Nothing is pending.';

export const NO_RETRIES = 'Nothing waits.';

export const morePages = (option: string): string => `The next page: ${option}`;

export const notAll = (shown: number, all: number): string =>
  `${shown} of ${all}; more with --limit`;

export const due = (inMs: number): string => (inMs <= 0 ? 'now' : `in ${spanText(inMs)}`);

export const watching = (at: string, everyMs: number): string =>
  `${at}, every ${spanText(everyMs)}, Ctrl-C ends it`;

export const TAIL =
  'Follows a stream: the last entries, and then each that is published, decoded with --codec. It is no member of any group, and takes nothing from them.';

export const undecodable = (why: string): string => `(not decoded: ${why})`;

export const PUBLISH =
  'Publishes a message, as ClientRedisStreams does. The payload is JSON, from the argument or from stdin; with --text it is taken as it is, with --lines each line of stdin is a message.';

export const payloadNotJson = (why: string): string =>
  `the payload is no JSON (${why}); --text takes it as it is`;

export const lineNotJson = (line: number, why: string): string =>
  `line ${line} is no JSON (${why}); --text takes it as it is. What came before it is published`;

export const headerMalformed = (given: string): string =>
  `--header "${given}" has to look like name=value`;

export const LINES_FROM_STDIN =
  '--lines reads the messages from stdin: leave out the payload, --message-id and --key';

export const needsPartitions = (stream: string, count: number | undefined): string =>
  `stream "${stream}" has partitions: say --partitions ${count ?? '<count>, as many as its services have'}`;

export const otherPartitions = (stream: string, given: number, count: number): string =>
  `--partitions ${given}: those who read stream "${stream}" have ${count}`;

export const published = (entryId: string | null, messageId: string, duplicate: boolean): string =>
  entryId === null
    ? `Message ${messageId} waits to be published later already: nothing was written.`
    : duplicate
      ? `Message ${messageId} was published before, as entry ${entryId}: nothing was written.`
      : `Published entry ${entryId}, message ${messageId}.`;

export const publishedLines = (written: number, duplicates: number): string =>
  `Published ${counted(written, 'message')}${duplicates === 0 ? '' : `; ${duplicates} were published before`}.`;

export const DEAD_LETTERS = 'What a group has given up.';

export const LIST = 'Dead letters of a group, the newest first.';

export const SHOW = 'One dead letter with all there is to know of it: error, payload and headers.';

export const REDRIVE =
  'Has dead letters run again: in their group alone, under their message ID, beginning with attempt 1. Each stays a dead letter until its run is settled (at most once: until its handler starts). It takes a consumer of the group.';

export const PURGE = 'Throws dead letters away for good.';

export const NO_DEAD_LETTERS = 'There are no dead letters.';

export const noSuchDeadLetter = (id: string): string => `there is no dead letter ${id}`;

export const WHICH = 'name the IDs of dead letters, or say --all or --error <name>';

export const WHICH_ONE = 'either IDs of dead letters, or --all, or --error <name>';

export const redriven = (count: number): string => `${count} redriven.`;

export const purgeQuestion = (
  count: number,
  stream: string,
  group: string,
  error?: string,
): string =>
  `Throw away ${error === undefined ? count : `those of ${count}`} dead letters of group "${group}" of stream "${stream}"${
    error === undefined ? '' : ` that failed with ${error}`
  } for good?`;

export const purged = (count: number): string => `${count} thrown away.`;

export const TRIM = `Removes what is older than --max-age, or more than --max-length, as the scheduled retention does: it stops at the oldest entry that some group has not finished. Redis removes whole nodes of a stream, so a few entries may stay. With --dry-run nothing is removed.`;

export const TRIM_LIMIT = 'say --max-age or --max-length, or both';

export const trimQuestion = (count: number, lost: number, stream: string): string =>
  `Remove up to ${count} entries of stream "${stream}"${
    lost === 0 ? '' : `, of which ${lost} ARE NOT FINISHED by some group and will be lost`
  }?`;

export const wouldTrim = (count: number): string => `Up to ${count} entries would be removed.`;

export const trimmed = (count: number, lost: number): string =>
  `${count} entries removed${lost === 0 ? '' : `, ${lost} of them unfinished`}.`;

export const heldUp = (count: number, group: string, entryId: string): string =>
  `${count} more stay: group "${group}" has not finished entry ${entryId}. --ignore-group passes over it, --force over all.`;

export const RESET = `Sets a group to another place in its stream (XGROUP SETID), from where it goes on. The IDs in its ledger stay, so a message that it handled within the window is acknowledged and not run again; --forget-ledger empties the ledger first. What is pending stays pending, and goes on where it was. Skipped entries are never given to the group.`;

export const resetQuestion = (of: {
  readonly stream: string;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly pending: number;
  readonly ledger: number;
  readonly forget: boolean;
  readonly isForward: boolean;
  /** How many entries it was not given yet and never will be, where that is known. */
  readonly skipped: number | undefined;
}): string =>
  [
    `Group "${of.group}" of stream "${of.stream}" stands at ${of.from} and is set to ${of.to}.`,
    of.isForward && of.skipped !== 0
      ? `It is never given what lies between${of.skipped === undefined ? '' : `: ${of.skipped} entries`}.`
      : '',
    of.ledger === 0
      ? 'Its ledger is empty: what it meets again is run again.'
      : of.forget
        ? `Its ledger of ${of.ledger} message IDs is emptied: what it meets again is run again.`
        : `Its ledger has ${of.ledger} message IDs: those are not run again where it meets them.`,
    of.pending === 0 ? '' : `${of.pending} entries stay pending, and go on where they were.`,
    'Go on?',
  ]
    .filter((line) => line !== '')
    .join(' ');

export const reset = (group: string, to: string): string => `Group "${group}" goes on after ${to}.`;

export const LEDGER = 'The message IDs that a group has processed.';

export const LEDGER_SIZE = 'How many message IDs are in the ledger, and since when.';

export const LEDGER_FORGET =
  'Takes message IDs out of the ledger, so that they are run again when they come again: published anew (after the window of publishDedup, 2 minutes unless set), or by reset-group.';

export const forgetQuestion = (count: number, stream: string, group: string): string =>
  `Forget that group "${group}" of stream "${stream}" has processed ${count === 1 ? 'this message' : `these ${count} messages`}?`;

export const forgotten = (removed: number, asked: number): string =>
  `${removed} of ${asked} message IDs taken out of the ledger.`;

export const DOCTOR = `Looks for what is wrong or will go wrong: the server's version and settings, rights of this user, groups without consumers, consumers that are gone, streams that nothing trims, unread entries near trimming. It changes nothing. Exit code 3 where it found something. Retention is not written in Redis: with --max-age and --max-length it is held against yours.`;
