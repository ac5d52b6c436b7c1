import { expect } from '@jest/globals';

import { RetryException } from '../../../lib/index.js';
import { bodies } from '../payload.js';
import { expectOnce, expectOrder, expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 4;

export const secondEntry: Behaviour = {
  name: 'a second entry of a message inside the window is not handled',
  shown: async (cell) => {
    const { knowsSecondEntry } = cell.promises;
    await cell.publish(bodies(COUNT));
    const member = await cell.member();
    await expectSettled(cell, { handled: COUNT });
    await cell.mode.prepare?.(cell.inRedis);
    await cell.inRedis.addAgain(bodies(COUNT));
    await cell.publish(bodies(1, { from: COUNT }));
    const handled = knowsSecondEntry ? COUNT + 1 : 2 * COUNT + 1;
    await cell.until('all have run', () => cell.runs.succeeded.length === handled);
    await expectSettled(cell, { handled, ran: COUNT + 1, replied: COUNT + 1 });
    expect(cell.runs.all.map(({ attempt }) => attempt)).toEqual(Array(handled).fill(1));
    const { duplicate } = member.monitor.getStats().counts;
    expect(duplicate).toBe(knowsSecondEntry ? COUNT : 0);
  },
};

export const undecodable: Behaviour = {
  name: 'an entry that cannot be decoded becomes a dead letter, and holds up no other',
  shown: async (cell) => {
    cell.expectLog(/cannot be (read|decoded)/);
    await cell.publish(bodies(COUNT));
    await cell.inRedis.addUndecodable();
    await cell.publish(bodies(COUNT, { from: COUNT }));
    await cell.inRedis.addUndecodable();
    await cell.member();
    const unreadable = 2 * cell.inRedis.places.length;
    await expectSettled(cell, { handled: 2 * COUNT, undecodable: unreadable });
    expectOnce(cell, 2 * COUNT);
    expectOrder(cell);
    const dead = await cell.listDeadLetters();
    const fields = ['junk', '1'].map((text) => Buffer.from(text));
    expect(dead.map((each) => [each.attempts, each.fields])).toEqual(
      Array.from({ length: unreadable }, () => [0, fields]),
    );
  },
};

const [FAILS, DELETED] = [1, 3];

export const deleted: Behaviour = {
  name: 'an entry that is deleted while it waits holds up no other',
  shown: async (cell) => {
    const { retries, retryKeepsSlot } = cell.promises;
    cell.expectLog(/attempt|dead letter|answered with an error/, /deleted|gone|lost/);
    await cell.publish(bodies(6));
    await cell.remove(DELETED);
    const member = await cell.member(({ n, attempt }) => {
      if (n === FAILS && attempt === 1) throw new RetryException({ delayMs: 1_500 });
    });
    if (retries) {
      await cell.until('it waits for its retry', () => cell.runs.of(FAILS)[0]?.outcome === 'threw');
      await cell.until('its retry is scheduled', async () => {
        return retryKeepsSlot || (await cell.inRedis.records()).retries > 0;
      });
      await cell.remove(FAILS);
    }
    const others = [0, 2, 4, 5];
    await cell.until('the others are handled', () => {
      const handled = cell.runs.succeeded.map(({ n }) => n);
      expect(handled).toEqual(expect.arrayContaining(others));
      return true;
    });
    expect(cell.runs.of(DELETED)).toEqual([]);
    if (!retries) return expectSettled(cell, { handled: others.length, failed: 1 });
    await cell.until('it is settled', async () => {
      const { pending, retries: waiting } = await cell.inRedis.records();
      // Redis may have dropped it while the member still has it, for its next attempt.
      return pending + waiting + (member.server.consumer?.unsettled ?? 0) === 0;
    });
    // If it was in memory, it may have been tried again anyway.
    const handled = cell.runs.handled.size;
    await expectSettled(cell, { handled, ran: others.length + 1, replied: handled });
    for (const n of others) expect(cell.runs.of(n)).toHaveLength(1);
  },
};
