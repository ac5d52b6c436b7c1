import { expect } from '@jest/globals';

import { bodies } from '../payload.js';
import type { Member } from '../member.js';
import { expectOnce, expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const BATCH = 50;
const AT_A_TIME = 1_000;

/** What a process holds does not grow with the backlog. */
export const backlog: Behaviour = {
  name: 'a backlog is handled once, in order, with no more in the process than some batches',
  shown: async (cell) => {
    const { backlog: count } = cell.tools;
    for (let from = 0; from < count; from += AT_A_TIME) {
      await cell.publish(bodies(Math.min(AT_A_TIME, count - from), { keys: 20, from }));
    }
    let most = 0;
    let member: Member | undefined = undefined;
    const look = (running?: Member): void => {
      most = Math.max(most, running?.server.consumer?.unsettled ?? 0);
    };
    member = await cell.member(() => look(member), { batchSize: BATCH });
    await cell.untilHandled(count);
    await expectSettled(cell, { handled: count });
    expectOnce(cell, count);
    expectOrder(cell);
    const { concurrency = 1 } = cell.mode.subscription ?? {};
    const { batchesHeld } = cell.promises;
    const places = cell.inRedis.places.length;
    expect(most).toBeLessThanOrEqual(2 * concurrency + batchesHeld * BATCH * places);
  },
};
