import { describe, expect } from '@jest/globals';

import { pendingEntries } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import { type ChaosConsumer, LEASE_MS } from './support/chaos-consumer.js';
import type { ChaosRun } from './support/chaos-run.js';
import { named } from './support/command-proxy.js';
import { sharedNowMs } from './support/journal.js';
import { scenarios } from './support/scenario.js';
import type { Work } from './support/work.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

withProcess('a consumer that is stopped for longer than its lease', () => {
  const scenario = scenarios(redisForTests({ args: [] }));

  /** Resolves once a continued consumer has finished what it had started. */
  const whenDone = (consumer: ChaosConsumer): Promise<unknown> =>
    waitFor(async () => (await consumer.unfinished()).length === 0, {
      timeoutMs: 15_000,
      description: 'what it had started has ended',
    });

  scenario(
    'runs twice what it was running, and nothing that it had only read ahead',
    { promises: '2: it is stopped for longer than the lease. 4: a stale consumer starts nothing' },
    async (chaos) => {
      const { random } = chaos;
      const concurrency = random.whole(1, 6);
      const [stopped] = await chaos.readyConsumers(1, { options: { concurrency } });
      const quick = (): Work => ({ workMs: random.whole(20, 80) });
      await chaos.add(random.whole(8, 30), quick);
      // At the stop all slots hold one of these, so that no run is between its lease and its handler's first
      // line.
      const slow = await chaos.add(concurrency, () => ({ workMs: 900 }));
      const ahead = await chaos.add(random.whole(40, 90), quick);
      const runsSlowOnes = async (): Promise<boolean> => {
        const running = await stopped!.unfinished();
        return (
          running.length === concurrency && running.every((run) => slow.includes(run.messageId))
        );
      };
      await waitFor(runsSlowOnes, { timeoutMs: 15_000 });
      stopped!.freeze();
      const runTwice = await chaos.cutOff(stopped!);
      expect([...runTwice]).toEqual(expect.arrayContaining(slow));
      // More was read ahead than is running, or this test would show nothing.
      const held = await pendingEntries(chaos.redis, chaos.stream, chaos.group);
      expect(held.length).toBeGreaterThan(concurrency);
      await chaos.drain();
      stopped!.thaw();
      await whenDone(stopped!);
      const itsRuns = (await stopped!.runs()).map(({ messageId }) => messageId);
      expect(itsRuns.filter((id) => ahead.includes(id))).toEqual([]);
      return { runTwice };
    },
  );

  scenario(
    'has its late success counted, and its late failure ignored',
    { promises: '4: a late success commits, a late failure is ignored' },
    async (chaos) => {
      const [stopped] = await chaos.readyConsumers(1, {
        workMs: 300,
        options: {
          concurrency: 2,
          retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 0 } },
        },
      });
      const ids = await chaos.add(2, (n) => ({ fails: n }));
      await waitFor(async () => (await stopped!.unfinished()).length === 2);
      stopped!.freeze();
      await chaos.drain();
      stopped!.thaw();
      await whenDone(stopped!);
      await chaos.drain({ fresh: 0 });
      // Its failure comes when another consumer has handled the message: no dead letter, no third run.
      return { runTwice: new Set(ids) };
    },
  );

  scenario(
    'shares a message ID with another consumer: the message runs there once the lease has ended',
    { promises: '2: it is stopped for longer than the lease' },
    async (chaos) => {
      const stalled = await chaos.consumer({ workMs: 400 });
      // It gets the first entry, and requests no other.
      let asked = 0;
      const asks = stalled.proxy.catchOnce(
        'request',
        (command) => named('xreadgroup')(command) && ++asked > 1,
      );
      await stalled.ready();
      const [id] = await chaos.add(1);
      await waitFor(async () => (await stalled.unfinished()).length === 1);
      await asks;
      stalled.freeze();
      const [other] = await chaos.readyConsumers(1);
      await addAgain(chaos, id!);
      await chaos.drain({ fresh: 0 });
      expect((await other!.runs()).length).toBe(1);
      stalled.thaw();
      await whenDone(stalled);
      return { runTwice: new Set([id!]) };
    },
  );

  scenario(
    'shares a message ID with another consumer, and has not started it: it runs there only',
    { promises: '2: nothing that succeeded is run again. 4: a stale consumer starts nothing' },
    async (chaos) => {
      const [stalled] = await chaos.readyConsumers(1, { workMs: 400, options: { batchSize: 10 } });
      const ids = await chaos.add(3);
      await waitFor(async () => (await stalled!.unfinished()).length === 1);
      stalled!.freeze();
      await chaos.readyConsumers(1);
      for (const id of ids) await addAgain(chaos, id);
      await chaos.drain({ fresh: 0 });
      stalled!.thaw();
      await whenDone(stalled!);
      return { runTwice: new Set(ids.slice(0, 1)) };
    },
  );

  scenario(
    'is cut off by the network instead: the same holds',
    { promises: '2: it is cut off from Redis for longer than the lease' },
    async (chaos) => {
      const { random } = chaos;
      const [cut] = await chaos.readyConsumers(1, { options: { concurrency: random.whole(1, 4) } });
      await chaos.add(random.whole(40, 80), () => ({ workMs: random.whole(50, 150) }));
      await waitFor(async () => (await cut!.runs()).length >= 6);
      const before = await chaos.ledger();
      const cutAt = sharedNowMs();
      cut!.proxy.freeze();
      await chaos.drain({ fresh: 2 });
      const begun = (await cut!.runs()).filter(({ messageId }) => !before.has(messageId));
      // Until its leases may have ended it cannot know of the cut, and continues.
      expect(Math.max(...begun.map(({ startedAt }) => startedAt))).toBeLessThan(cutAt + LEASE_MS);
      const runTwice = await chaos.cutOff(cut!, before);
      cut!.proxy.thaw();
      await whenDone(cut!);
      await chaos.drain({ fresh: 0 });
      return { runTwice };
    },
  );
});

/** A second entry with a message ID that was published before. */
async function addAgain({ redis, stream }: ChaosRun, id: string): Promise<void> {
  await redis.xadd(stream, '*', 'name', stream, 'body', '{}', 'id', id);
}
