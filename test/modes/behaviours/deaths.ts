import { expect } from '@jest/globals';

import { bodies } from '../payload.js';
import { expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

/** The message whose handler is killed. */
const INTERRUPTED = 0;
const BEFORE = 6;
const COUNT = 9;

/**
 * What died with its process is run again by another member, or lost, depending on the mode; nothing else is
 * affected.
 */
export const killed: Behaviour = {
  name: 'kill -9 in a handler loses nothing that the mode does not allow',
  shown: async (cell) => {
    const { recordedFirst, losesReadAhead, order } = cell.promises;
    cell.expectLog(/died|crash|answered with an error/i);
    await cell.publish(bodies(BEFORE));
    const handledBefore = new Set(await cell.killMember());
    await cell.publish(bodies(COUNT - BEFORE, { from: BEFORE }));
    await cell.member();

    const left = [...Array(COUNT).keys()].filter((n) => !handledBefore.has(n));
    const mayBeLost = (n: number): boolean =>
      recordedFirst && (n === INTERRUPTED || (losesReadAhead && n < BEFORE));
    const needed = left.filter((n) => !mayBeLost(n));
    await cell.until('the rest is handled', () => {
      const handled = cell.runs.succeeded.map(({ n }) => n);
      expect(handled).toEqual(expect.arrayContaining(needed));
      return true;
    });
    const ran = cell.runs.begun.size;
    await expectSettled(cell, { handled: COUNT, ran, replied: recordedFirst ? 'any' : COUNT });

    for (const n of left) expect(cell.runs.of(n).length).toBeLessThanOrEqual(1);
    // The interrupted run counts; a neighbour is charged at most once.
    const attempts = cell.runs.of(INTERRUPTED).map(({ attempt }) => attempt);
    expect(attempts).toEqual(recordedFirst ? [] : [2]);
    for (const { attempt } of cell.runs.all) expect(attempt).toBeLessThanOrEqual(2);
    if (order === 'key') expectOrder(cell);
  },
};
