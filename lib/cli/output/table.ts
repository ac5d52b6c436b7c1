import Table from 'cli-table3';
import { visible } from './visible.js';
import { cut, type CutAt, widthOf } from './width.js';

/** A column of a table. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string | number | undefined;
  /** Numbers stand on the right. */
  readonly right?: boolean;
  /** May be cut where the table is too wide; what is typed again, such as an ID, is not. */
  readonly shrinks?: CutAt;
}

const GAP = 2;
const NARROWEST = 6;
/** What stands where nothing is known. */
const NOTHING = '-';
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

/** A table no wider than `width`, as long as its columns can be cut that far. */
export function tableText<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
): string {
  const cells = rows.map((row) =>
    columns.map(({ cell }) => {
      const value = cell(row);
      return value === undefined || value === '' ? NOTHING : visible(String(value));
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
  for (const row of cells)
    table.push(row.map((content, at) => cut(content, widths[at] ?? 0, columns[at]?.shrinks)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

// The widest gives way first, so that no column is cut for the sake of another.
function fit(widths: number[], columns: readonly { shrinks?: CutAt }[], most: number): void {
  const whole = (): number => widths.reduce((sum, its) => sum + its + GAP, -GAP);
  while (whole() > most) {
    const widest = Math.max(
      ...widths.map((its, at) => (columns[at]?.shrinks === undefined ? 0 : its)),
    );
    if (widest <= NARROWEST) return;
    const at = widths.findIndex(
      (its, index) => its === widest && columns[index]?.shrinks !== undefined,
    );
    widths[at] = widest - 1;
  }
}
