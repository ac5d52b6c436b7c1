import { setTimeout as delay } from 'node:timers/promises';

import { expect } from '@jest/globals';

import { bodies } from '../payload.js';
import { expectOnce, expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 6;

/** A lease is renewed three times while it lasts. */
export const slowHandler: Behaviour = {
  name: 'a handler that runs for more than three heartbeats keeps its message, and the order behind it',
  shown: async (cell) => {
    const longMs = 1.1 * cell.promises.leaseMs + 200;
    await cell.publish(bodies(COUNT));
    await cell.member(({ n }) => (n === 0 ? delay(longMs) : undefined));
    await cell.untilHandled(COUNT);
    expectOnce(cell, COUNT);
    expectOrder(cell);
    expect(cell.runs.of(0)[0]?.signal.aborted).toBe(false);
    await expectSettled(cell, { handled: COUNT });
  },
};
