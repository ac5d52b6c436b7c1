import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { sharedNowMs } from './support/journal.js';
import { scenarios } from './support/scenario.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

const LONGEST_DELAY_MS = 1_000;

withProcess('a rolling restart of three consumers', () => {
  const scenario = scenarios(redisForTests({ args: [] }));

  scenario(
    'under steady load delays no message by more than a second',
    { promises: '13: what did not start goes to the group at once. No attempt is charged' },
    async (chaos) => {
      const { random } = chaos;
      const options = { concurrency: 5 };
      const members = await chaos.readyConsumers(3, { options });
      const publisher = chaos.publisher();
      publisher.begin(8, () => ({ workMs: random.whole(5, 60), publishedAt: sharedNowMs() }));
      for (const member of members) {
        await delay(random.whole(100, 300));
        expect(await member.close()).toBe('SIGTERM');
        await chaos.readyConsumers(1, { options });
      }
      await delay(100);
      await publisher.stop();
      await chaos.drain({ fresh: 0 });
      const runs = await chaos.journal.runs();
      const delays = runs.map(({ payload, startedAt, messageId }) => ({
        messageId,
        ms: startedAt - Number(Object(JSON.parse(payload)).publishedAt),
      }));
      expect(delays.filter(({ ms }) => ms > LONGEST_DELAY_MS)).toEqual([]);
      expect(runs.filter(({ attempt }) => attempt > 1)).toEqual([]);
      return {};
    },
  );
});
