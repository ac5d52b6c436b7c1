import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, describe } from '@jest/globals';

import { movedClock, sayWhySkipped } from '../support/moved-clock.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import { scenarios } from './support/scenario.js';

const clock = await movedClock();
if (typeof clock === 'string') sayWhySkipped('chaos with a moved clock of Redis', clock);
const withMovedClock = typeof clock === 'string' ? describe.skip : describe;

const HOUR_MS = 3_600_000;
/** A failure, the attempt that a dead member may cost, and one more: only what always fails is a dead letter. */
const MAX_ATTEMPTS = 3;

withMovedClock('a Redis whose clock is an hour ahead for some seconds', () => {
  if (typeof clock === 'string') return;
  const scenario = scenarios(redisForTests({ args: [], binary: clock.binary }));
  afterAll(() => clock.remove());

  for (const partitions of [undefined, 3]) {
    scenario(
      `keeps nothing waiting, though a member is killed meanwhile, ${partitions === undefined ? 'in one stream' : 'in partitions'}`,
      { promises: '1: nothing is lost. Nothing waits for longer than a lease or its delay' },
      async (chaos) => {
        const { random } = chaos;
        chaos.partitions = partitions;
        const options = {
          concurrency: 4,
          recovery: { minIdleMs: 5_000, intervalMs: 1_000 },
          retry: { maxAttempts: MAX_ATTEMPTS, backoff: { type: 'fixed', delayMs: 1_000 } },
        } as const;
        const [victim] = await chaos.readyConsumers(2, { options });
        const work = () => ({
          workMs: random.pick([0, 5, 5, 20, 20, 500]),
          fails: random.pick([0, 0, 0, 1, MAX_ATTEMPTS]),
        });
        await chaos.add(random.whole(20, 40), work);
        await waitFor(async () => (await chaos.handled()).size > 5);
        chaos.note('an hour ahead');
        clock.set(HOUR_MS);
        await chaos.add(random.whole(20, 40), work);
        await delay(random.whole(500, 3_000));
        await victim!.kill();
        clock.set(0);
        chaos.note('and back');
        // What runs when the clock jumps forward by more than a lease may be taken over at once.
        const runTwice = new Set([...(await chaos.cutOff(victim!)), ...chaos.published]);
        await chaos.add(random.whole(5, 10), work);
        await chaos.drain({ fresh: 0, timeoutMs: 60_000 });
        return { runTwice, dead: chaos.failing(MAX_ATTEMPTS) };
      },
    );
  }
});
