import { type Command, InvalidArgumentError } from 'commander';
import { spanMs, startPosition } from '../../options/start-from.js';

/** Parses a duration such as `30s`, `15m` or `7d` to ms. */
export const parseSpan = (given: string): number =>
  spanMs(given) ?? refuse(given, 'a duration such as 500ms, 30s, 15m, 12h or 7d');

/** Parses where a group is to continue, to what {@link startPosition} makes of it. */
export const parsePosition = (given: string): string =>
  startPosition(given) ??
  refuse(
    given,
    'beginning, latest, an entry ID, a time such as 2026-03-01T08:00:00Z, or how long ago, such as 24h',
  );

/** A parser of whole numbers from `min` to `max`. */
export const wholeNumber =
  (min: number, max = Number.MAX_SAFE_INTEGER) =>
  (given: string): number => {
    const number = /^\d+$/.test(given) ? Number(given) : Number.NaN;
    if (number >= min && number <= max) return number;
    const upTo = max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${max}`;
    return refuse(given, `a whole number, ${min} ${upTo}`);
  };

/** Parses a complete entry ID. */
export const parseEntryId = (given: string): string =>
  /^\d{1,20}-\d{1,20}$/.test(given) ? given : refuse(given, 'an entry ID such as 1729768245123-0');

/** Parses a dead letter's ID, which begins with its partition if its stream has partitions. */
export const parseDeadLetterId = (given: string): string =>
  /^(\d{1,4}:)?\d{1,20}-\d{1,20}$/.test(given)
    ? given
    : refuse(
        given,
        'the ID of a dead letter such as 1729768245123-0, or 3:1729768245123-0 in partition 3',
      );

function refuse(given: string, allowed: string): never {
  throw new InvalidArgumentError(`"${given}" is not ${allowed}`);
}

/** For options that may be given several times. */
export const collect = (given: string, before: readonly string[] = []): string[] => [
  ...before,
  given,
];

/** Adds examples to a command's help. */
export const examples = (...commands: readonly string[]): string =>
  `\n${commands.length > 1 ? 'Examples' : 'Example'}:\n${commands
    .map((command) => `  $ nest-streams ${command}`)
    .join('\n')}`;

/** An action whose code is loaded when it runs: loading all commands would triple the start of each. */
export const lazily =
  <Args extends unknown[]>(load: () => Promise<(...args: Args) => Promise<void>>) =>
  async (...args: Args): Promise<void> =>
    (await load())(...args);

/** The arguments of a command that works on one stream. */
export const ofStream = (command: Command): Command =>
  command.argument('<stream>', "the stream's name, without --prefix");

/** The arguments of a command that works on one group. */
export const ofGroup = (command: Command): Command =>
  ofStream(command).argument('<group>', 'the consumer group');
