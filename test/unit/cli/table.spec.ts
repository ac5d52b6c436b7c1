import { describe, expect, it } from '@jest/globals';

import { visible } from '../../../lib/errors/thrown.js';
import { cut, tableText } from '../../../lib/cli/output/table.js';
import { widthOf, wrapped } from '../../../lib/cli/output/text.js';

interface Row {
  readonly id: string;
  readonly who: string;
  readonly why: string;
  readonly count: number | undefined;
}

const COLUMNS = [
  { head: 'id', cell: ({ id }: Row) => id },
  { head: 'consumer', cell: ({ who }: Row) => who, shrinks: 'middle' },
  { head: 'reason', cell: ({ why }: Row) => why, shrinks: 'end' },
  { head: 'count', cell: ({ count }: Row) => count, right: true },
] as const;

const ID = '1729768245123-0';
const linesOf = (rows: readonly Row[], width = 80): string[] =>
  tableText(rows, COLUMNS, width).split('\n');

describe('a table', () => {
  it('is as wide as its content if that fits, with numbers on the right', () => {
    const rows = [
      { id: ID, who: 'a', why: 'no', count: 7 },
      { id: ID, who: 'b', why: 'yes', count: 1_000 },
    ];
    expect(linesOf(rows)).toEqual([
      'id               consumer  reason  count',
      `${ID}  a         no          7`,
      `${ID}  b         yes      1000`,
    ]);
  });

  it('fits 80 columns however long its texts are, and cuts no ID', () => {
    for (const length of [1, 20, 40, 60, 80, 200, 5_000]) {
      const row = { id: ID, who: `x${'y'.repeat(length)}z`, why: 'w'.repeat(length), count: 1e15 };
      for (const line of linesOf([row, { ...row, who: 'short' }])) {
        expect([length, widthOf(line) <= 80]).toEqual([length, true]);
      }
      expect(linesOf([row])[1]).toContain(ID);
    }
  });

  it('fits even if characters are two columns wide', () => {
    const row = { id: ID, who: '消費者'.repeat(20), why: '🙂'.repeat(40), count: 1 };
    for (const line of linesOf([row])) expect(widthOf(line)).toBeLessThanOrEqual(80);
  });

  it('narrows the widest column first, so that short ones stay whole', () => {
    const [, line = ''] = linesOf([{ id: ID, who: 'billing.1', why: 'w'.repeat(90), count: 1 }]);
    expect(line).toContain(' billing.1 ');
    expect(line).toMatch(/w…/);
  });

  it('uses the width of the terminal', () => {
    const row = { id: ID, who: 'a', why: 'w'.repeat(90), count: 1 };
    expect(linesOf([row], 200)[1]).toContain('w'.repeat(90));
  });

  it('shows an unknown value as a dash, and 0 as 0', () => {
    const [, none = '', zero = ''] = linesOf([
      { id: ID, who: '', why: 'no', count: undefined },
      { id: ID, who: 'a', why: 'no', count: 0 },
    ]);
    expect(none).toMatch(/ - +no +-$/);
    expect(zero).toMatch(/ a +no +0$/);
  });
});

describe('text for a terminal', () => {
  it('is cut at its end, or in its middle if both ends are needed to recognize it', () => {
    expect(cut('billing.web-1.4711.3f9c', 12)).toBe('billing.we…');
    expect(cut('billing.web-1.4711.3f9c', 12, 'middle')).toBe('billi….3f9c');
    expect(cut('short', 12)).toBe('short');
  });

  it('is broken between words, and a longer word stays whole', () => {
    const text = wrapped('one two three-which-is-longer-than-a-line four', 12, '  ');
    expect(text.split('\n')).toEqual([
      '  one two',
      '  three-which-is-longer-than-a-line',
      '  four',
    ]);
  });

  it('escapes what a terminal would obey', () => {
    expect(visible('a\u001B[31mb\u202Ec\n')).toBe('a\\u001b[31mb\\u202ec\\u000a');
    expect(visible('tea – 茶 🙂')).toBe('tea – 茶 🙂');
  });
});
