import { setTimeout as delay } from 'node:timers/promises';

import { describe } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import { type ChaosConsumer, LEASE_MS } from './support/chaos-consumer.js';
import type { ChaosRun } from './support/chaos-run.js';
import { scenarios } from './support/scenario.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

/** More attempts than the faults of a run can take from one message: they must not make dead letters here. */
const MAX_ATTEMPTS = 20;

withProcess('all at once', () => {
  const redis = redisForTests({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const scenario = scenarios(redis);
  const options = {
    retry: { maxAttempts: MAX_ATTEMPTS, backoff: { type: 'fixed', delayMs: 50 } },
  } as const;

  /** A group under faults: its members, and what they may have started without being able to commit it. */
  interface Group {
    readonly chaos: ChaosRun;
    readonly members: ChaosConsumer[];
    readonly cutOff: Set<string>;
  }

  const join = async ({ chaos, members }: Group): Promise<void> => {
    const concurrency = chaos.random.whole(1, 8);
    members.push(...(await chaos.readyConsumers(1, { options: { ...options, concurrency } })));
  };

  const noteCutOff = async (
    { chaos, cutOff }: Group,
    member: ChaosConsumer,
    ledger?: ReadonlySet<string>,
  ): Promise<void> => {
    for (const id of await chaos.cutOff(member, ledger)) cutOff.add(id);
  };

  const leave = ({ chaos, members }: Group): ChaosConsumer =>
    members.splice(chaos.random.whole(0, members.length - 1), 1)[0]!;

  const FAULTS: Record<string, (group: Group) => Promise<void>> = {
    kill: async (group) => {
      const victim = leave(group);
      await victim.kill();
      group.chaos.note(`of consumer ${victim.pid}`);
      await noteCutOff(group, victim);
      await join(group);
    },
    stop: async (group) => {
      const victim = group.chaos.random.pick(group.members);
      victim.freeze();
      group.chaos.note(`of consumer ${victim.pid}`);
      await noteCutOff(group, victim);
      await delay(group.chaos.random.whole(100, 2_000));
      victim.thaw();
    },
    cut: async (group) => {
      const victim = group.chaos.random.pick(group.members);
      const before = await group.chaos.ledger();
      victim.proxy.freeze();
      group.chaos.note(`of consumer ${victim.pid}`);
      await delay(group.chaos.random.whole(100, 2_000));
      await noteCutOff(group, victim, before);
      victim.proxy.thaw();
    },
    reset: async ({ chaos, members }) => chaos.random.pick(members).proxy.resetAll(),
    deploy: async (group) => {
      await leave(group).close();
      await join(group);
    },
    'kill Redis': async (group) => {
      const { chaos, members } = group;
      const before = await chaos.ledger();
      const begun = performance.now();
      await redis.server.process?.kill('SIGKILL');
      await redis.server.process?.restart();
      // On a busy machine it was away for longer than a lease.
      if (performance.now() - begun > LEASE_MS / 2) {
        for (const member of members) await noteCutOff(group, member, before);
      }
      await waitFor(async () => (await chaos.redis.ping()) === 'PONG', { timeoutMs: 15_000 });
    },
    'fill Redis': async ({ chaos }) => {
      await chaos.redis.config('SET', 'maxmemory', '100kb');
      await delay(chaos.random.whole(0, 300));
      await chaos.redis.config('SET', 'maxmemory', '0');
    },
  };

  scenario(
    'faults of all kinds, in an order that depends on the seed',
    {
      promises:
        '1: nothing is lost. 2: only what a killed or stalled consumer had started runs twice',
      rounds: 10,
      timeoutMs: 120_000,
    },
    async (chaos) => {
      const { random } = chaos;
      const group: Group = { chaos, members: [], cutOff: new Set() };
      await Promise.all([join(group), join(group), join(group)]);
      const publisher = chaos.publisher();
      publisher.begin(5, () => ({
        workMs: random.pick([0, 0, 5, 20, 100]),
        fails: random.pick([0, 0, 0, 0, 1]),
      }));
      // Each kind once, so that a short run includes all of them too.
      for (const name of random.shuffled(Object.keys(FAULTS))) {
        chaos.note(name);
        await FAULTS[name]!(group);
        chaos.note(`${name} is over`);
        await delay(random.whole(0, 200));
      }
      await publisher.stop();
      await chaos.drain({ fresh: 0 });
      const unfinished = async (): Promise<boolean> =>
        (await Promise.all(group.members.map((it) => it.unfinished()))).every(
          (of) => of.length === 0,
        );
      await waitFor(unfinished, { timeoutMs: 10_000 });
      return { runTwice: group.cutOff };
    },
  );
});
