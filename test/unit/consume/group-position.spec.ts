import { describe, expect, it } from '@jest/globals';

import { GroupPosition } from '../../../lib/consume/group-position.js';

const given = (count: number): GroupPosition => {
  const position = new GroupPosition();
  for (let n = 1; n <= count; n++) position.noteGiven(`${n}-0`);
  return position;
};

describe('up to where a group was given entries', () => {
  it('is the highest entry ID, by number and not by text', () => {
    const position = given(10);
    position.noteGiven('9-5');
    expect(position.highestId).toBe('10-0');
  });

  it('is unknown at first, and after the stream is gone', () => {
    const position = new GroupPosition();
    expect(position.highestId).toBe('');
    position.noteGiven('1-0');
    position.forget();
    expect(position.highestId).toBe('');
    expect(position.givenUpTo('9-9')).toEqual([]);
  });

  it('remembers each of the latest entries, newest first', () => {
    const [last, ...before] = given(1_000).givenUpTo('980-0');
    expect(last).toBe('980-0');
    expect(before.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, n) => `${979 - n}-0`));
  });

  it('remembers some of those before: few of the oldest, and never more than 130', () => {
    const ids = given(1_000_000)
      .givenUpTo('1000000-0')
      .map((id) => Number.parseInt(id, 10));
    expect(ids.length).toBeLessThanOrEqual(130);
    for (const age of [1_000, 10_000, 100_000, 900_000]) {
      const newest = ids.find((id) => id <= 1_000_000 - age) ?? -Infinity;
      expect(newest).toBeGreaterThan(1_000_000 - 3 * age - 5_000);
    }
  });

  it('goes on from the entry to which the stream was rewound', () => {
    const position = given(100);
    position.rewind('50-0');
    expect(position.highestId).toBe('50-0');
    expect(position.givenUpTo('100-0')[0]).toBe('50-0');
    position.noteGiven('51-0');
    expect(position.highestId).toBe('51-0');
  });
});
