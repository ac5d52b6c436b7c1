import type { DeadLetter } from '../../dead-letters/dead-letter.js';
import { jsonText, timeText, visible } from '../output/text.js';
import type { Column } from '../output/table.js';

export const DEAD_LETTER_COLUMNS: readonly Column<DeadLetter>[] = [
  { head: 'id', cell: ({ id }) => id },
  { head: 'message', cell: ({ messageId }) => messageId, shrinks: 'end' },
  { head: 'name', cell: ({ name }) => name, shrinks: 'end' },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
  { head: 'error', cell: ({ error }) => error?.name, shrinks: 'end' },
  { head: 'reason', cell: ({ reason }) => reason, shrinks: 'end' },
];

/** A dead letter for programs. Its raw fields are included only if the payload could not be decoded. */
export function deadLetterJson({ fields, ...letter }: DeadLetter): unknown {
  if (letter.payload !== undefined) return letter;
  return { ...letter, fields: rawFields(fields) };
}

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
  ];
  const text = lines.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name.padEnd(10)} ${visible(value)}`],
  );
  if (error?.stack !== undefined) text.push('stack', ...error.stack.split('\n').map(indented));
  if (Object.keys(headers).length > 0) text.push('headers', ...jsonLines(headers));
  if (payload === undefined) text.push('fields', ...jsonLines(rawFields(fields)));
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
