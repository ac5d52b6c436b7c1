import { describe, expect, it } from '@jest/globals';

import { shareOf } from '../../../lib/consume/partitions/share.js';

/** Lets all members look at the same time, again and again, until nothing moves. */
function settle(holdings: Map<string, number[]>, partitions: number): { moves: number } {
  let moves = 0;
  for (let round = 0; round < 10; round++) {
    const shares = [...holdings.keys()].map(
      (me) => [me, shareOf(me, holdings, partitions)] as const,
    );
    const before = moves;
    for (const [me, { surplus, wanted }] of shares) {
      const its = holdings.get(me)?.filter((partition) => !surplus.includes(partition)) ?? [];
      holdings.set(me, [...its, ...wanted]);
      moves += surplus.length + wanted.length;
    }
    if (moves === before) return { moves };
  }
  throw new Error('it never settles');
}

const counts = (holdings: Map<string, number[]>): number[] =>
  [...holdings.values()].map(({ length }) => length).sort();

describe('the shares of members', () => {
  it('are all partitions where there is one', () => {
    const holdings = new Map([['a', []]]);
    settle(holdings, 8);
    expect(holdings.get('a')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.each([
    [1, 4, [0, 0, 0, 1]],
    [8, 3, [2, 3, 3]],
    [2, 3, [0, 1, 1]],
    [9, 3, [3, 3, 3]],
  ])('are even: %d partitions, %d members', (partitions, members, expected) => {
    const names = Array.from({ length: members }, (_, n) => [`m${n}`, [] as number[]] as const);
    const holdings = new Map<string, number[]>(names);
    settle(holdings, partitions);
    expect(counts(holdings)).toEqual([...expected].sort());
    // Each is somebody's, and of one only.
    const all = [...holdings.values()].flat().sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: partitions }, (_, n) => n));
  });

  it('leave everything where it is as long as nobody comes or goes', () => {
    const holdings = new Map([
      ['a', [4, 5, 6]],
      ['b', [0, 1]],
      ['c', [7, 2, 3]],
    ]);
    expect(settle(holdings, 8)).toEqual({ moves: 0 });
  });

  it('move no more than one who comes lacks', () => {
    const holdings = new Map([
      ['z', []],
      ['b', [0, 1, 2, 3]],
      ['c', [4, 5, 6, 7]],
    ]);
    // Two are given up and taken: who had four keeps three.
    expect(settle(holdings, 8)).toEqual({ moves: 4 });
    expect(counts(holdings)).toEqual([2, 3, 3]);
  });

  it('are not asked for twice by members that look at the same time', () => {
    const holdings = new Map([
      ['a', []],
      ['b', []],
      ['c', []],
    ]);
    const wanted = ['a', 'b', 'c'].flatMap((me) => shareOf(me, holdings, 8).wanted);
    expect(wanted.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('take no notice of partitions that only a member with another number of them knows', () => {
    const holdings = new Map([
      ['a', [0, 1]],
      ['b', [2, 3, 8, 9, 10]],
    ]);
    expect(shareOf('b', holdings, 4)).toEqual({ surplus: [], wanted: [] });
  });
});
