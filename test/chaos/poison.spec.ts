import { describe } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import type { ChaosConsumer } from './support/chaos-consumer.js';
import type { ChaosRun } from './support/chaos-run.js';
import { scenarios } from './support/scenario.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

const MAX_ATTEMPTS = 3;

// Both fail as long as a crash charges an attempt to everything that was leased, again and again.
withProcess('a message that kills its process each time', () => {
  const scenario = scenarios(redisForTests({ args: [] }));
  const promises =
    '6: it becomes a dead letter after its attempts, and a neighbour is charged one attempt at most';

  /** A consumer that is started again each time it dies, as a supervisor does. */
  async function supervised(chaos: ChaosRun, concurrency: number): Promise<() => void> {
    const retry = { maxAttempts: MAX_ATTEMPTS, backoff: { type: 'fixed', delayMs: 20 } } as const;
    let stopped = false;
    const started = async (): Promise<ChaosConsumer> => {
      const [consumer] = await chaos.readyConsumers(1, { options: { concurrency, retry } });
      return consumer!;
    };
    const watch = async (consumer: ChaosConsumer): Promise<void> => {
      await consumer.ended;
      if (!stopped) await watch(await chaos.consumer({ options: { concurrency, retry } }));
    };
    void watch(await started());
    return () => void (stopped = true);
  }

  async function poisoned(
    chaos: ChaosRun,
    supervisors: number,
    poisons: number,
  ): Promise<{ dead: Set<string>; runTwice: Set<string> }> {
    const { random } = chaos;
    const stops = await Promise.all(
      Array.from({ length: supervisors }, () => supervised(chaos, random.whole(1, 4))),
    );
    const count = random.whole(20, 40);
    const places = new Set(
      random.shuffled(Array.from({ length: count }, (_, n) => n)).slice(0, poisons),
    );
    const ids = await chaos.add(count, (n) =>
      places.has(n) ? { poison: true } : { workMs: random.whole(0, 20) },
    );
    await chaos.drain({ fresh: 0, timeoutMs: 90_000 });
    for (const stop of stops) stop();
    const dead = new Set([...places].map((n) => ids[n] ?? ''));
    const runs = await chaos.journal.runs();
    for (const { messageId, attempt } of runs) {
      // Each poison message may charge its neighbours once.
      if (!dead.has(messageId) && attempt > Math.min(poisons + 1, MAX_ATTEMPTS)) {
        throw new Error(`${messageId}, a neighbour, was charged ${attempt - 1} attempts`);
      }
      if (dead.has(messageId) && attempt > MAX_ATTEMPTS) {
        throw new Error(`${messageId}, the poison, had attempt ${attempt}`);
      }
    }
    // What ran at the same time, or was handled and not committed yet, runs again.
    const cut = runs.filter(({ pid }) =>
      runs.some((run) => run.pid === pid && dead.has(run.messageId)),
    );
    return { dead, runTwice: new Set(cut.map(({ messageId }) => messageId)) };
  }

  scenario(
    'ends as a dead letter, and its neighbours are handled',
    { promises, timeoutMs: 120_000 },
    (chaos) => poisoned(chaos, 1, 1),
  );

  scenario('is one of several, in a group of two', { promises, timeoutMs: 120_000 }, (chaos) =>
    poisoned(chaos, 2, 3),
  );
});
