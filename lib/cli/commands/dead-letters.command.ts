import type { Command } from 'commander';
import { visible } from '../../errors/thrown.js';
import type { DeadLetter } from '../../dead-letters/dead-letter.js';
import {
  type DeadLetterFilter,
  GroupDeadLetters,
  type SomeDeadLetters,
} from '../../dead-letters/group-dead-letters.js';
import { CliError, UsageError } from '../cli.error.js';
import type { Column } from '../output/table.js';
import { confirm, openBar } from '../output/terminal.js';
import { isShowable, jsonText, timeText } from '../output/text.js';
import { groupOf, groupOfAny } from '../reading/group-rows.js';
import { partitionsOf } from '../reading/streams.js';
import { Session } from '../session.js';

interface WhichFlags {
  readonly all?: boolean;
  readonly error?: string;
  readonly limit?: number;
}

export const list = (
  stream: string,
  group: string,
  { limit, before }: { limit: number; before?: string },
  command: Command,
): Promise<void> =>
  withDeadLetters(command, stream, group, async (session, letters) => {
    const page = await letters.list({
      limit,
      ...(before === undefined ? {} : { before }),
    });
    if (session.isJson) return session.answer(page.map(deadLetterJson), () => '');
    await session.rows(page, DEAD_LETTER_COLUMNS, 'There are no dead letters.');
    const last = page.at(-1);
    if (last !== undefined && page.length === limit) {
      session.note(`The next page: --before ${last.id}`);
    }
  });

export const show = (
  stream: string,
  group: string,
  id: string,
  _flags: unknown,
  command: Command,
): Promise<void> =>
  withDeadLetters(command, stream, group, async (session, letters) => {
    const letter = await letters.get(id);
    if (letter === undefined) throw new CliError(`there is no dead letter ${id}`);
    session.answer(deadLetterJson(letter), () => deadLetterText(letter));
  });

export function redrive(
  stream: string,
  group: string,
  ids: string[],
  flags: WhichFlags,
  command: Command,
): Promise<void> {
  const which = whichOf(ids, flags);
  return withDeadLetters(command, stream, group, async (session, letters) => {
    const { limit } = flags;
    const bar = await openBar('Redriving', ids.length || (await letters.count()));
    const { redriven } = await letters
      .redrive({
        ...which,
        ...(limit === undefined ? {} : { limit }),
        onProgress: ({ scanned, total }) => bar.to(scanned, total),
      })
      .finally(() => bar.end());
    session.answer({ redriven }, () => `${redriven} redriven.`);
  });
}

export function purge(
  stream: string,
  group: string,
  ids: string[],
  flags: WhichFlags,
  command: Command,
): Promise<void> {
  const { filter } = whichOf(ids, flags);
  return withDeadLetters(command, stream, group, async (session, letters) => {
    const total = ids.length || (await letters.count());
    await confirm(purgeQuestion(total, stream, group, flags.error), session.yes);
    const bar = await openBar('Purging', total);
    let seen = 0;
    const counting: DeadLetterFilter = (letter) => {
      bar.to((seen += 1));
      return filter === undefined || filter(letter);
    };
    const { purged } = await letters
      .purge(ids.length > 0 ? { ids } : { filter: counting })
      .finally(() => bar.end());
    session.answer({ purged }, () => `${purged} deleted.`);
  });
}

const purgeQuestion = (
  count: number,
  stream: string,
  group: string,
  error: string | undefined,
): string => {
  const [which, condition] =
    error === undefined
      ? [String(count), '']
      : [`those of the ${count}`, ` that failed with ${error}`];
  return `Delete ${which} dead letters of group "${group}" of stream "${stream}"${condition} for good?`;
};

function whichOf(ids: readonly string[], { all = false, error }: WhichFlags): SomeDeadLetters {
  const given = [ids.length > 0, all, error !== undefined].filter(Boolean).length;
  if (given === 0) {
    throw new UsageError('give the IDs of dead letters, or --all, or --error <name>');
  }
  if (given > 1) {
    throw new UsageError('give only one of: IDs of dead letters, --all, --error <name>');
  }
  if (ids.length > 0) return { ids };
  return error === undefined ? {} : { filter: (letter) => letter.error?.name === error };
}

function withDeadLetters(
  command: Command,
  stream: string,
  group: string,
  work: (session: Session, letters: GroupDeadLetters) => Promise<void>,
): Promise<void> {
  return Session.with(command, async (session) => {
    const { client, prefix: keyPrefix, codec } = session;
    const partitions = await partitionsOf(session, stream);
    const whose = { keyPrefix, stream, group, partitions };
    const letters = new GroupDeadLetters(() => Promise.resolve(client), codec, whose);
    // Dead letters outlive their stream. If there are neither, the name is probably misspelt.
    if ((await letters.count()) === 0) {
      await (partitions === undefined ? groupOf : groupOfAny)(session, stream, group);
    }
    await work(session, letters);
  });
}

export const DEAD_LETTER_COLUMNS: readonly Column<DeadLetter>[] = [
  { head: 'id', cell: ({ id }) => id },
  { head: 'message', cell: ({ messageId }) => messageId, shrinks: 'end' },
  { head: 'name', cell: ({ name }) => name, shrinks: 'end' },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
  { head: 'error', cell: ({ error }) => error?.name, shrinks: 'end' },
  { head: 'reason', cell: ({ reason }) => reason, shrinks: 'end' },
];

/** A dead letter for programs. If the payload could not be decoded, or cannot be shown, the raw fields take its place. */
export function deadLetterJson({ fields, ...letter }: DeadLetter): unknown {
  if (hasPayload(letter)) return letter;
  return { ...letter, payload: undefined, fields: rawFields(fields) };
}

const hasPayload = ({ payload }: Pick<DeadLetter, 'payload'>): boolean =>
  payload !== undefined && isShowable(payload);

export function deadLetterText(letter: DeadLetter): string {
  const { error, payload, headers, fields } = letter;
  const lines: [string, string | undefined][] = [
    ['ID', letter.id],
    ['entry', letter.entryId],
    ['message', letter.messageId],
    ['name', letter.name],
    ['consumer', letter.consumer],
    ['failed at', timeText(letter.failedAt.getTime())],
    ['attempts', String(letter.attempts)],
    ['reason', letter.reason],
    ['error', error && `${error.name}: ${error.message}`],
    ['details', error?.details],
    ['cut', letter.cut.join(', ')],
  ];
  const text = lines.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name.padEnd(10)} ${visible(value)}`],
  );
  if (error?.causes !== undefined) text.push('causes', ...error.causes.split('\n').map(indented));
  if (error?.stack !== undefined) text.push('stack', ...error.stack.split('\n').map(indented));
  if (Object.keys(headers).length > 0) text.push('headers', ...jsonLines(headers));
  if (!hasPayload(letter)) text.push('fields', ...jsonLines(rawFields(fields)));
  else text.push('payload', ...jsonLines(payload));
  return text.join('\n');
}

const indented = (line: string): string => `  ${visible(line)}`;

const jsonLines = (value: unknown): string[] =>
  jsonText(value, 2)
    .split('\n')
    .map((line) => `  ${line}`);

const rawFields = (fields: DeadLetter['fields']): [string, string][] =>
  fields.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name.toString(), fields[at + 1]?.toString() ?? '']] : [],
  );
