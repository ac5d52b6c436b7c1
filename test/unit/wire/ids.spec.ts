import { describe, expect, it } from '@jest/globals';
import {
  compareEntryIds,
  entryIdAfter,
  parseRowId,
  publishedAtMs,
  redriveId,
} from '../../../lib/wire/ids.js';

describe('compareEntryIds', () => {
  it.each([
    ['9-0', '10-0'],
    ['1729768245123-9', '1729768245123-10'],
    ['1729768245123-5', '1729768245124-0'],
    ['0-0', '0-1'],
    // Neither a number nor text would get these right.
    ['9007199254740993-0', '9007199254740994-0'],
    ['1-18446744073709551614', '1-18446744073709551615'],
  ])('puts %s before %s', (lower, higher) => {
    expect(compareEntryIds(lower, higher)).toBeLessThan(0);
    expect(compareEntryIds(higher, lower)).toBeGreaterThan(0);
  });

  it('treats an ID as equal to itself, and one without a sequence number as equal to number 0', () => {
    expect(compareEntryIds('7-3', '7-3')).toBe(0);
    expect(compareEntryIds('7', '7-0')).toBe(0);
  });

  it('sorts a list as Redis does', () => {
    const mixed = ['10-0', '2-10', '1729768245123-0', '2-0', '2-1'];
    const sorted = ['2-0', '2-1', '2-10', '10-0', '1729768245123-0'];
    expect(mixed.sort(compareEntryIds)).toEqual(sorted);
  });
});

describe('publishedAtMs', () => {
  it('is the time in the ID', () => {
    expect(publishedAtMs('1729768245123-42')).toBe(1729768245123);
  });
});

describe('the next entry ID', () => {
  it.each([
    ['5-0', '5-1'],
    ['1729768245123-9', '1729768245123-10'],
    ['5-9007199254740993', '5-9007199254740994'],
  ])('after %s is %s', (id, next) => {
    expect(entryIdAfter(id)).toBe(next);
  });
});

describe('what waits in a row', () => {
  it('is an entry, or the redrive of a dead letter', () => {
    expect(parseRowId('5-1')).toEqual({ kind: 'entry', id: '5-1' });
    expect(parseRowId(redriveId('7-0'))).toEqual({ kind: 'redrive', id: '7-0' });
  });
});
