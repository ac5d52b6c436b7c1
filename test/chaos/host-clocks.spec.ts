import { describe } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import { scenarios } from './support/scenario.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

const HOUR_MS = 3_600_000;
/** A failure, the attempt that a dead member may cost, and one more: only what always fails is a dead letter. */
const MAX_ATTEMPTS = 3;

withProcess('a host whose clock is an hour off', () => {
  const scenario = scenarios(redisForTests({ args: [] }));

  scenario(
    'changes nothing for its group, even if another member dies',
    { promises: "1, 2. Times and windows use Redis's clock, never the host's" },
    async (chaos) => {
      const { random } = chaos;
      const options = {
        concurrency: 4,
        retry: { maxAttempts: MAX_ATTEMPTS, backoff: { type: 'fixed', delayMs: 50 } },
      } as const;
      const [[right], [early], [late]] = await Promise.all([
        chaos.readyConsumers(1, { options }),
        chaos.readyConsumers(1, { options, clockOffsetMs: HOUR_MS }),
        chaos.readyConsumers(1, { options, clockOffsetMs: -HOUR_MS }),
      ]);
      await chaos.add(random.whole(80, 120), () => ({
        workMs: random.pick([0, 5, 5, 20, 20, 700]),
        fails: random.pick([0, 0, 0, 1, MAX_ATTEMPTS]),
      }));
      await waitFor(async () => (await chaos.handled()).size >= 20, { timeoutMs: 15_000 });
      // A clock that is changed while handlers run, in both directions.
      early!.setClockRight();
      const victim = random.pick([right!, late!]);
      await victim.kill();
      const runTwice = await chaos.cutOff(victim);
      await chaos.drain({ fresh: 0 });
      return { runTwice, dead: chaos.failing(MAX_ATTEMPTS) };
    },
  );
});
