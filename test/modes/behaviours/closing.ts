import { setTimeout as delay } from 'node:timers/promises';

import { bodies } from '../payload.js';
import { expectOnce, expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const BACKLOG = 80;
const EACH_MS = 8;

export const closesBesideAnother: Behaviour = {
  name: 'closing in the middle of a backlog hands the rest to the other member, at once and in order',
  shown: async (cell) => {
    const work = (): Promise<void> => delay(EACH_MS);
    await cell.publish(bodies(BACKLOG, { keys: 8 }));
    const first = await cell.member(work);
    await cell.member(work);
    await cell.untilHandled(BACKLOG / 4);
    await first.close();
    await expectSettled(cell, { handled: BACKLOG });
    expectOnce(cell, BACKLOG);
    // Two members share a stream without partitions, so it has no order.
    if (cell.promises.order === 'key') expectOrder(cell);
  },
};

const EACH_ROUND = 25;
const ROUND_MS = 1_000;

export const restartsOften: Behaviour = {
  name: 'a member that stops and starts each second keeps the order, and runs nothing twice',
  shown: async (cell) => {
    const { restarts } = cell.tools;
    const work = (): Promise<void> => delay(EACH_MS);
    for (let round = 0; round < restarts; round++) {
      const from = 2 * round * EACH_ROUND;
      await cell.publish(bodies(EACH_ROUND, { keys: 4, from }));
      const member = await cell.member(work);
      await cell.untilHandled(from + 3);
      await cell.publish(bodies(EACH_ROUND, { keys: 4, from: from + EACH_ROUND }));
      // It closes in the middle of the second lot.
      await Promise.race([delay(ROUND_MS), cell.untilHandled(from + 1.5 * EACH_ROUND)]);
      await member.close();
    }
    await cell.member(work);
    await expectSettled(cell, { handled: 2 * restarts * EACH_ROUND });
    expectOnce(cell, 2 * restarts * EACH_ROUND);
    expectOrder(cell);
  },
};
