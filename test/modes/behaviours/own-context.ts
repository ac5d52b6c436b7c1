import { AsyncLocalStorage } from 'node:async_hooks';

import { expect } from '@jest/globals';

import { expectSettled } from '../expectations.js';
import { bodies } from '../payload.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 6;
/** The message whose first attempt fails, so that it is run again if the mode does that. */
const BAD = 1;

const entered = new AsyncLocalStorage<string>();

export const ownContext: Behaviour = {
  name: 'what one message enters in its async context is not seen by others, nor by its next attempt',
  shown: async (cell) => {
    const seen: unknown[] = [];
    cell.expectLog(/attempt/, /dead letter/, /is answered with an error/);
    const { server } = await cell.member(({ n, attempt }) => {
      if (n === BAD && attempt === 1) throw new Error('once');
    });
    // Like a guard, it is called before anything is awaited.
    server.setOnProcessingStartHook((_, __, done) => {
      seen.push(entered.getStore());
      entered.enterWith('a message');
      return done();
    });
    await cell.publish(bodies(COUNT));
    const failed = cell.promises.retries ? 0 : 1;
    await expectSettled(cell, { handled: COUNT - failed, failed });
    expect(seen).toEqual(Array(COUNT + 1 - failed).fill(undefined));
  },
};
