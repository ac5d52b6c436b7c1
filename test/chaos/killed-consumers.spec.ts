import { describe } from '@jest/globals';

import { commitScript } from '../../lib/redis/scripts/settle/commit.script.js';
import { reserveScript } from '../../lib/redis/scripts/reserve/reserve.script.js';
import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import type { ChaosRun } from './support/chaos-run.js';
import { type CaughtAt, type Match, runsScript } from './support/command-proxy.js';
import type { Bound } from './support/counts.js';
import { inTime } from './support/in-time.js';
import { scenarios } from './support/scenario.js';
import type { Work } from './support/work.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

withProcess('kill -9 of a consumer', () => {
  const scenario = scenarios(redisForTests({ args: [] }));
  const promises =
    '1: nothing is lost. 2: what it had begun and not committed may run again, and nothing else';

  /**
   * Kills a consumer, together with another or alone, at the first, second or third time that it reaches the
   * point `at`.
   */
  async function killedAt(chaos: ChaosRun, at: CaughtAt, matches: Match): Promise<Bound> {
    const { random } = chaos;
    const [victim] = await chaos.readyConsumers(1, {
      options: { concurrency: random.whole(1, 8), batchSize: random.pick([5, 100]) },
    });
    if (random.next() < 0.5) await chaos.readyConsumers(1);
    let left = random.whole(1, 3);
    const caught = victim!.proxy.catchOnce(at, (command) => matches(command) && --left === 0);
    const work = (): Work => ({ workMs: random.whole(0, 10) });
    await chaos.add(random.whole(60, 150), work);
    // The other one may have most of them: more are published until it gets there.
    await chaos.addDuring(inTime(caught, 'the place to die'), () => [work(), work(), work()]);
    await victim!.kill();
    const runTwice = await chaos.cutOff(victim!);
    await chaos.drain();
    return { runTwice };
  }

  scenario('before the reserve', { promises }, (chaos) =>
    killedAt(chaos, 'request', runsScript(reserveScript)),
  );

  scenario('between the reserve and the handlers', { promises }, (chaos) =>
    killedAt(chaos, 'reply', runsScript(reserveScript)),
  );

  scenario('after the handlers and before the commit', { promises }, (chaos) =>
    killedAt(chaos, 'request', runsScript(commitScript)),
  );

  scenario('after the commit and before its answer', { promises }, (chaos) =>
    killedAt(chaos, 'reply', runsScript(commitScript)),
  );

  scenario('in the middle of its handlers', { promises }, async (chaos) => {
    const { random } = chaos;
    const concurrency = random.whole(1, 8);
    const [victim] = await chaos.readyConsumers(1, { options: { concurrency } });
    await chaos.add(random.whole(60, 150), () => ({ workMs: random.whole(20, 60) }));
    await waitFor(async () => (await victim!.runs()).length >= random.whole(5, 30));
    await victim!.kill();
    const runTwice = await chaos.cutOff(victim!);
    await chaos.drain();
    return { runTwice };
  });
});
