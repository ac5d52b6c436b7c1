import Table from 'cli-table3';
import { visible } from '../../errors/thrown.js';
import { widthOf } from './text.js';

/** A column of a table. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string | number | undefined;
  /** Aligns the column to the right, for numbers. */
  readonly right?: boolean;
  /** Where to cut a cell if the table is too wide. What may be copied, such as an ID, is never cut. */
  readonly shrinks?: CutAt;
}

/** Which part of a text to cut: its end, or its middle if both ends are needed to recognize it. */
type CutAt = 'end' | 'middle';

const GAP = 2;
const NARROWEST = 6;
const UNKNOWN = '-';
const DOTS = '…';
const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);

/** A table that is no wider than `width`, as far as its columns may be cut. */
export function tableText<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
): string {
  const cells = rows.map((row) =>
    columns.map(({ cell }) => {
      const value = cell(row);
      return value === undefined || value === '' ? UNKNOWN : visible(String(value));
    }),
  );
  const widths = columns.map(({ head }, at) =>
    Math.max(...[head, ...cells.map((row) => row[at] ?? '')].map(widthOf)),
  );
  fit(widths, columns, width);
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ right = false }) => (right ? 'right' : 'left')),
    chars: { ...NO_LINES, middle: ' '.repeat(GAP) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (const row of cells) {
    table.push(row.map((content, at) => cut(content, widths[at] ?? 0, columns[at]?.shrinks)));
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Narrows the widest column first, so that none is cut more than it must be. */
function fit(widths: number[], columns: readonly { shrinks?: CutAt }[], most: number): void {
  const whole = (): number => widths.reduce((sum, width) => sum + width + GAP, -GAP);
  while (whole() > most) {
    const widest = Math.max(
      ...widths.map((width, at) => (columns[at]?.shrinks === undefined ? 0 : width)),
    );
    if (widest <= NARROWEST) return;
    const at = widths.findIndex(
      (width, index) => width === widest && columns[index]?.shrinks !== undefined,
    );
    widths[at] = widest - 1;
  }
}

/** Cuts a text to `width` columns, with three dots for what is missing. */
export function cut(text: string, width: number, at: CutAt = 'end'): string {
  if (widthOf(text) <= width) return text;
  const characters = [...text];
  const kept = width - widthOf(DOTS);
  const tail = at === 'end' ? 0 : Math.ceil(kept / 2);
  let [from, left] = [characters.length, tail];
  while ((left -= widthOf(characters[from - 1] ?? '')) >= 0) from -= 1;
  let to = 0;
  left = kept - tail;
  while ((left -= widthOf(characters[to] ?? '')) >= 0) to += 1;
  return `${characters.slice(0, to).join('')}${DOTS}${characters.slice(from).join('')}`;
}
