import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { ownersOf } from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import type { ChaosConsumer } from './support/chaos-consumer.js';
import type { ChaosRun } from './support/chaos-run.js';
import { outOfOrder } from './support/order-of-keys.js';
import { isShort, scenarios } from './support/scenario.js';
import type { Work } from './support/work.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

const PARTITIONS = 8;
const MEMBERS = 4;
const [KEYS, EACH, KILLS] = isShort ? [50, 40, 3] : [200, 200, 10];

withProcess('a stream with partitions', () => {
  const scenario = scenarios(redisForTests({ args: [] }));
  const options = { concurrency: 8, batchSize: 50 };

  /** Adds this many messages of each key, in order, while something else happens. */
  async function addInOrder(chaos: ChaosRun, each: number, from = 0): Promise<void> {
    const { random } = chaos;
    const keys = Array.from({ length: KEYS }, (_, key) => `k${key}`);
    for (let n = from; n < from + each; n++) {
      const works: Work[] = random
        .shuffled(keys)
        .map((key) => ({ key, n, workMs: random.next() < 0.1 ? random.whole(1, 10) : 0 }));
      await chaos.add(works.length, (at) => works[at] ?? {});
      await delay(20);
    }
  }

  scenario(
    'runs each key in order, whoever is killed or joins, and loses nothing',
    {
      promises:
        '1: nothing is lost. Order by key: a crash repeats at most the last message of a key',
      rounds: 1,
      timeoutMs: 240_000,
    },
    async (chaos) => {
      const { random } = chaos;
      chaos.partitions = PARTITIONS;
      const members = await chaos.readyConsumers(MEMBERS, { options });
      const adding = addInOrder(chaos, EACH);
      const runTwice = new Set<string>();
      for (let kill = 0; kill < KILLS; kill++) {
        await delay(random.whole(200, 2_500));
        const [victim] = members.splice(random.whole(0, members.length - 1), 1);
        // Some are stopped like in a deploy.
        if (random.next() < 0.3) await victim!.close();
        else {
          await victim!.kill();
          for (const id of await chaos.cutOff(victim!)) runTwice.add(id);
        }
        members.push(...(await chaos.readyConsumers(1, { options })));
      }
      await adding;
      await chaos.drain({ fresh: 0, timeoutMs: 150_000 });
      expect(outOfOrder(await chaos.journal.runs())).toEqual([]);
      const runs = await chaos.journal.runs();
      expect(runs.filter(({ outcome }) => outcome === 'handled').length).toBeGreaterThanOrEqual(
        KEYS * EACH,
      );
      return { runTwice };
    },
  );

  scenario(
    'has the partitions of a killed member taken over within ten seconds',
    { promises: 'Order by key: handed over within 10 s when one joins, leaves or dies', rounds: 1 },
    async (chaos) => {
      chaos.partitions = PARTITIONS;
      const { redis } = chaos;
      const within = async (members: number): Promise<number> => {
        const from = Number((await redis.time())[0]);
        await sharedEvenly(chaos, members);
        return Number((await redis.time())[0]) - from;
      };
      const [killed] = await chaos.readyConsumers(1, { options });
      await within(1);
      await chaos.readyConsumers(1, { options });
      const joined = await within(2);
      await killed!.kill();
      const afterDeath = await within(1);
      const [closed] = await chaos.readyConsumers(1, { options });
      await within(2);
      await closed!.close();
      const left = await within(1);
      for (const seconds of [joined, afterDeath, left]) expect(seconds).toBeLessThanOrEqual(10);
      await addInOrder(chaos, 1);
      await chaos.drain({ fresh: 0 });
      return {};
    },
  );

  scenario(
    'keeps its order when a member that hung continues',
    {
      promises:
        '4: a stale consumer starts nothing. Order by key, including what it was given meanwhile',
      timeoutMs: 120_000,
    },
    async (chaos) => {
      chaos.partitions = PARTITIONS;
      const [stopped] = await chaos.readyConsumers(2, { options });
      await sharedEvenly(chaos, 2);
      await addInOrder(chaos, 5);
      await waitFor(async () => (await stopped!.runs()).length > 20, { timeoutMs: 15_000 });
      stopped!.freeze();
      const runTwice = await chaos.cutOff(stopped!);
      // Its blocked read still receives entries.
      const adding = addInOrder(chaos, 20, 5);
      await adding;
      await waitFor(async () => (await othersRun(chaos, stopped!)) > 10 * KEYS, {
        timeoutMs: 60_000,
      });
      const begun = (await stopped!.runs()).length;
      const later = addInOrder(chaos, 5, 25);
      stopped!.thaw();
      await later;
      await chaos.drain({ fresh: 0, timeoutMs: 60_000 });
      const runs = await chaos.journal.runs();
      expect(outOfOrder(runs, new Set([stopped!.pid]))).toEqual([]);
      expect(begun).toBeGreaterThan(20);
      return { runTwice };
    },
  );
});

/** Resolves once this many members have equal shares, and no partition is without an owner. */
const sharedEvenly = ({ redis, stream, group }: ChaosRun, members: number): Promise<unknown> =>
  waitFor(
    async () => {
      const shares = [...(await ownersOf(redis, stream, PARTITIONS, group)).values()];
      const isEven = shares.every(({ length }) => length === PARTITIONS / members);
      return shares.length === members && isEven;
    },
    { timeoutMs: 20_000, description: `${members} members share the partitions` },
  );

const othersRun = async (chaos: ChaosRun, stopped: ChaosConsumer): Promise<number> =>
  (await chaos.journal.runs()).filter(({ pid }) => pid !== stopped.pid).length;
