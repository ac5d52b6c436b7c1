import { expect } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import { expectOrder, expectSettled } from '../expectations.js';
import { bodies } from '../payload.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 10;
const FAILS_ONCE = 1;
const FAILS_ALWAYS = 4;

/** Everything that waits when Redis becomes full ends as if it were not, also for a member that starts meanwhile. */
export const fullRedis: Behaviour = {
  name: 'a full Redis: what waits is handled, retried and dead-lettered, and only publishing is refused',
  harmsServer: true,
  shown: async (cell) => {
    const { servers } = cell.tools;
    const { retries } = cell.promises;
    cell.expectLog(/attempt/, /dead letter/, /is answered with an error/);
    let release = (): void => undefined;
    const full = new Promise<void>((resolve) => (release = resolve));
    const work = async ({ n, attempt }: { n: number; attempt: number }): Promise<void> => {
      await full;
      if (n === FAILS_ALWAYS || (n === FAILS_ONCE && attempt === 1)) throw new Error('always');
    };
    await cell.publish(bodies(COUNT));
    await cell.until('nothing waits to be published', async () => {
      return (await cell.inRedis.records()).delayed === 0;
    });
    const first = await cell.member(work);
    await cell.until('one runs', () => cell.runs.all.length > 0);
    await servers.setFull(true);
    await expect(servers.client.set('a', 'b')).rejects.toThrow('OOM');
    release();
    await cell.untilHandled(1);
    await first.close();
    const second = await cell.member(work);
    const failed = retries ? 1 : 2;
    await expectSettled(cell, { handled: COUNT - failed, failed });
    const others = cell.runs.all.filter(({ n }) => n !== FAILS_ONCE && n !== FAILS_ALWAYS);
    expect(others.map(({ n }) => n).sort((a, b) => a - b)).toEqual([0, 2, 3, 5, 6, 7, 8, 9]);
    expectOrder(cell, cell.promises.orderThroughRetry ? undefined : others);
    await expect(firstValueFrom(cell.client.emit(cell.stream, {}))).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      ambiguous: false,
    });
    await second.close();
    await servers.setFull(false);
  },
};
