import { setTimeout as delay } from 'node:timers/promises';

import { bodies } from '../payload.js';
import { expectOnce, expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 12;
const EACH_MS = 25;

export const dropsConnections: Behaviour = {
  name: 'dropped connections lose nothing, and cause no second run',
  shown: async (cell) => {
    const way = await cell.tools.servers.resettable();
    try {
      await cell.publish(bodies(COUNT));
      const member = await cell.member(() => delay(EACH_MS), {}, way.address);
      for (const handled of [2, 5]) {
        await cell.untilHandled(handled);
        way.resetAll();
      }
      await expectSettled(cell, { handled: COUNT });
      expectOnce(cell, COUNT);
      expectOrder(cell);
      await member.close();
    } finally {
      await way.close();
    }
  },
};

export const flushesScripts: Behaviour = {
  name: 'SCRIPT FLUSH has no visible effect',
  shown: async (cell) => {
    await cell.publish(bodies(COUNT));
    await cell.member(() => delay(EACH_MS));
    for (const handled of [2, 5]) {
      await cell.untilHandled(handled);
      await cell.tools.servers.flushScripts();
    }
    await expectSettled(cell, { handled: COUNT });
    expectOnce(cell, COUNT);
    expectOrder(cell);
  },
};

const HALF = 5;
/** The log says that the group, or the stream, was gone. */
const GONE = [/gone|vanished|made again|set back|does not exist|NOGROUP/];

export const flushesAll: Behaviour = {
  name: 'FLUSHALL: what is published afterwards is handled',
  harmsServer: true,
  shown: async (cell) => {
    cell.expectLog(...GONE);
    await cell.publish(bodies(HALF));
    await cell.member();
    await expectSettled(cell, { handled: HALF });
    await cell.tools.servers.flushAll();
    // So that the callers' next request checks their inbox.
    await delay(50);
    await cell.publish(bodies(HALF, { from: HALF }));
    await cell.untilHandled(2 * HALF);
    // What was settled before is forgotten.
    cell.inRedis.ledgerBefore = -HALF;
    await expectSettled(cell, { handled: 2 * HALF });
    expectOnce(cell, 2 * HALF);
    expectOrder(cell);
  },
};

export const destroysGroup: Behaviour = {
  name: 'XGROUP DESTROY: what is published afterwards is handled, and nothing again',
  shown: async (cell) => {
    cell.expectLog(...GONE);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await cell.publish(bodies(HALF));
    await cell.member(({ n }) => (n === HALF ? held : undefined));
    await expectSettled(cell, { handled: HALF });
    await cell.publish(bodies(1, { from: HALF }));
    await cell.until('one is running', () => cell.runs.of(HALF).length > 0);
    await cell.inRedis.destroy();
    await cell.publish(bodies(HALF, { from: HALF + 1 }));
    // A member that did not know of the running message yet may have created the group before it.
    await cell.until('the group is back', () => cell.inRedis.wasGiven(HALF));
    release();
    await expectSettled(cell, { handled: 2 * HALF + 1 });
    expectOnce(cell, 2 * HALF + 1);
    expectOrder(cell);
  },
};
