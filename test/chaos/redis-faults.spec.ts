import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import type { ChaosRun } from './support/chaos-run.js';
import { scenarios } from './support/scenario.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

withProcess('a Redis that', () => {
  const redis = redisForTests({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const scenario = scenarios(redis);

  scenario(
    'is killed and comes back with its data, under load',
    { promises: '1: nothing is lost. 2: nothing twice: back within a lease is no exception' },
    async (chaos) => {
      const { random } = chaos;
      // A lease that outlives a restart on a busy machine.
      const options = { concurrency: 5, recovery: { minIdleMs: 15_000, intervalMs: 200 } };
      await chaos.readyConsumers(2, { options });
      const publisher = chaos.publisher();
      publisher.begin(3, () => ({
        workMs: random.whole(0, 20),
        fails: random.whole(0, 9) === 0 ? 1 : 0,
      }));
      for (let round = 0; round < 3; round++) {
        await delay(random.whole(100, 500));
        await redis.server.process?.kill('SIGKILL');
        await redis.server.process?.restart();
      }
      await waitFor(async () => (await chaos.redis.ping()) === 'PONG', { timeoutMs: 15_000 });
      await delay(200);
      await publisher.stop();
      await chaos.drain({ fresh: 0 });
      return {};
    },
  );

  scenario(
    'takes away a right to the stream and gives it back, under load',
    {
      promises:
        '1: nothing is lost. 2: nothing twice: a lease outlives it. 15: it goes on by itself',
    },
    async (chaos) => {
      const { random, redis: client, stream } = chaos;
      const acl = (...rules: string[]): Promise<unknown> => client.call('ACL', 'SETUSER', ...rules);
      // The members are the default user.
      await acl('admin', 'on', '>secret', '+@all', '~*', '&*');
      await client.auth('admin', 'secret');
      try {
        const options = { concurrency: 5, recovery: { minIdleMs: 15_000, intervalMs: 200 } };
        await chaos.readyConsumers(2, { options });
        await chaos.add(random.whole(100, 200), () => ({
          workMs: random.whole(0, 20),
          fails: random.whole(0, 9) === 0 ? 1 : 0,
        }));
        for (let round = 0; round < 3; round++) {
          await delay(random.whole(50, 200));
          const others = random.whole(0, 1) === 0 ? '~stream:*' : `~${stream}`;
          await acl('default', 'resetkeys', others, '~other');
          await delay(random.whole(50, 1_500));
          await acl('default', 'allkeys');
          await chaos.add(random.whole(1, 50), () => ({ workMs: random.whole(0, 20) }));
        }
        await chaos.drain({ fresh: 0 });
      } finally {
        await acl('default', 'allkeys');
      }
      return {};
    },
  );

  const VANISH: Record<string, (chaos: ChaosRun) => Promise<unknown>> = {
    FLUSHALL: ({ redis: client }) => client.flushall(),
    DEL: ({ redis: client, stream }) => client.del(stream),
    'XGROUP DESTROY': ({ redis: client, stream, group }) => client.xgroup('DESTROY', stream, group),
  };
  for (const [name, vanish] of Object.entries(VANISH)) {
    scenario(
      `loses its data by ${name}, while all members are blocked`,
      {
        promises:
          '9: a vanished group or stream comes back, and everything published after it is handled',
      },
      async (chaos) => {
        await chaos.readyConsumers(2);
        for (let round = 0; round < 3; round++) {
          await chaos.add(chaos.random.whole(1, 20));
          await chaos.drain({ fresh: 0 });
          await vanish(chaos);
        }
        await chaos.add(20);
        await chaos.drain({ fresh: 0 });
        return {};
      },
    );

    scenario(
      `loses its data by ${name}, under load`,
      { promises: '9: everything published after it vanished is handled' },
      async (chaos) => {
        const { random } = chaos;
        await chaos.readyConsumers(2, { options: { concurrency: 3, batchSize: 10 } });
        await chaos.add(random.whole(50, 100), () => ({ workMs: random.whole(5, 20) }));
        await waitFor(async () => (await chaos.handled()).size > 10);
        const handled = await chaos.handled();
        await vanish(chaos);
        // What existed before, and was not handled, is gone.
        const lost = new Set([...chaos.published].filter((id) => !handled.has(id)));
        await chaos.add(50, () => ({ workMs: random.whole(0, 5) }));
        await chaos.drain({ fresh: 0 });
        return { lost };
      },
    );
  }

  scenario(
    'is out of memory for a while',
    { promises: '1: nothing is lost. 12: emit() errors when Redis refused. Durable part first' },
    async (chaos) => {
      const { random } = chaos;
      const maxAttempts = 2;
      const options = {
        concurrency: 5,
        recovery: { minIdleMs: 10_000, intervalMs: 200 },
        retry: { maxAttempts, backoff: { type: 'fixed', delayMs: 50 } },
      } as const;
      await chaos.readyConsumers(2, { options });
      const publisher = chaos.publisher();
      publisher.begin(3, () => ({
        workMs: random.whole(0, 20),
        fails: random.pick([0, 0, 0, 1, maxAttempts]),
      }));
      for (let round = 0; round < 3; round++) {
        await delay(random.whole(100, 400));
        // Less than it needs now: every command that could need more is refused.
        await chaos.redis.config('SET', 'maxmemory', '100kb');
        const { failed } = publisher;
        await waitFor(() => publisher.failed > failed);
        await delay(random.whole(0, 400));
        await chaos.redis.config('SET', 'maxmemory', '0');
      }
      await publisher.stop();
      await chaos.drain({ fresh: 0 });
      expect(publisher.ambiguous).toBe(0);
      return { dead: chaos.failing(maxAttempts) };
    },
  );

  scenario(
    'is out of memory until everything that waits is handled, while a member is killed',
    { promises: '16: a full Redis drains. 1, 2: nothing is lost, nothing twice' },
    async (chaos) => {
      const { random } = chaos;
      const maxAttempts = 3;
      const options = {
        concurrency: 4,
        recovery: { minIdleMs: 3_000, intervalMs: 1_000 },
        retry: { maxAttempts, backoff: { type: 'fixed', delayMs: 50 } },
      } as const;
      const [victim] = await chaos.readyConsumers(2, { options });
      await chaos.add(random.whole(80, 120), () => ({
        workMs: random.whole(0, 30),
        fails: random.pick([0, 0, 0, 1, maxAttempts]),
      }));
      await waitFor(async () => (await chaos.handled()).size > 5);
      await chaos.redis.config('SET', 'maxmemory', '1');
      await delay(random.whole(0, 300));
      await victim!.kill();
      const runTwice = await chaos.cutOff(victim!);
      await chaos.readyConsumers(1, { options });
      await chaos.drain({ fresh: 0 });
      await expect(chaos.redis.set('a', 'b')).rejects.toThrow('OOM');
      await chaos.redis.config('SET', 'maxmemory', '0');
      return { runTwice, dead: chaos.failing(maxAttempts) };
    },
  );
});
