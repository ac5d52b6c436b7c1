import { recordedLog } from '../../support/recorded-log.js';
import { expectOnce, expectOrder, expectSettled } from '../expectations.js';
import { bodies } from '../payload.js';
import type { Behaviour } from './behaviour.js';

const HALF = 5;

/** A key of another type makes Redis refuse the stream, until somebody deletes it. */
export const refusedStream: Behaviour = {
  name: 'a stream that Redis refuses for some time: everything is handled, once',
  shown: async (cell) => {
    const { inRedis, promises, runs } = cell;
    const { redis, places } = inRedis;
    cell.expectLog(/set aside/);
    const attempts = places.map((place) => inRedis.keysOf(place).attempts);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await cell.publish(bodies(HALF));
    const member = await cell.member(({ n }) => (n === 0 ? held : undefined));
    await cell.until('the first one runs', () => runs.of(0).length > 0);
    for (const key of attempts) await redis.set(key, 'x');
    release();
    const count = promises.waitsAsDeadLetter ? HALF : 2 * HALF;
    // To redrive a dead letter needs the same key.
    if (count > HALF) await cell.publish(bodies(HALF, { from: HALF }));
    await cell.until('it is refused, unless all was recorded before', () => {
      const isSaid = recordedLog.lines.some(
        ({ text }) => text.includes('set aside') && cell.isAbout(text),
      );
      return isSaid || runs.handled.size === count;
    });
    for (const key of attempts) await redis.del(key);
    await expectSettled(cell, { handled: count });
    expectOnce(cell, count);
    expectOrder(cell);
    await member.close();
  },
};
