import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Redis } from 'ioredis';

import { ClientRedisStreams, type SubscriptionOptions, subscription } from '../../lib/index.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { GROUP } from '../support/refusals.js';
import { closeAppsAfterEach, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { firstValueFrom } from 'rxjs';

const redis = redisForTests({ args: [] });
closeAppsAfterEach();

let look: Redis;
beforeEach(async () => {
  look = redis.client;
  // Everything but one inbox.
  await look.call('ACL', 'SETUSER', 'answerer', 'reset', 'on', '>secret', '+@all', '~*');
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const MODES: Record<string, { subscription?: SubscriptionOptions; partitions?: number }> = {
  'by default': {},
  'without a ledger': { subscription: { dedup: false } },
  'at most once': { subscription: { delivery: 'at-most-once' } },
  'with partitions': { partitions: 1 },
};
/** More than a member may have in hand. */
const MANY = 570;

/** What makes Redis refuse an inbox. */
const REFUSALS: Record<string, (stream: string, key: string) => Promise<string>> = {
  'that our user may not write': async (_, key) => {
    await look.call(
      ...(['ACL', 'SETUSER', 'answerer', 'resetkeys', `~*${key}*`, '~stream:replies:{*'] as const),
    );
    return `stream:replies:${freshName('others')}`;
  },
  'with a key of another type beside it': async (stream) => {
    const inbox = `stream:replies:{${stream}}`;
    await look.xadd(inbox, '*', 'a', 'b');
    await look.set(`${inbox}:left`, 'x');
    return inbox;
  },
};

describe.each(Object.keys(MODES))('requests with an inbox that Redis refuses, %s', (mode) => {
  it.each(Object.keys(REFUSALS))(
    'are settled and reported, and others are answered: an inbox %s',
    async (refusal) => {
      const { subscription: options, partitions } = MODES[mode]!;
      const stream = freshName('asked');
      const key = partitions === undefined ? stream : partitionName(stream, 0);
      const inbox = await REFUSALS[refusal]!(stream, stream);
      const runs: number[] = [];
      @Controller()
      class Answers {
        @MessagePattern<string>(stream, subscription(options))
        answer(@Payload() n: number): number {
          runs.push(n);
          if (n % 3 === 1) throw new Error('no');
          return n;
        }
      }
      const streams = partitions === undefined ? {} : { [stream]: { partitions } };
      const app = await streamsApp(
        {
          connection: redis.url.replace('//', '//answerer:secret@'),
          group: GROUP,
          startFrom: 'beginning',
          batchSize: 20,
          streams,
        },
        { controllers: [Answers] },
      );
      const pipeline = look.pipeline();
      for (let n = 0; n < MANY; n++) {
        const request = [
          'request-id',
          `r${n}`,
          'request-inbox',
          inbox,
          'request-timeout-ms',
          60_000,
        ];
        pipeline.xadd(key, '*', 'name', stream, 'body', n, ...request);
      }
      await pipeline.exec();
      const client = new ClientRedisStreams({ connection: redis.url, streams });
      try {
        expect(await firstValueFrom(client.send<number>(stream, 999))).toBe(999);
      } finally {
        await client.close();
      }
      await waitFor(() => isCaughtUp(look, key, GROUP));
      expect(new Set(runs).size).toBe(MANY + 1);
      const lines = logged('error', inbox);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/refused the replies/);
      await app.close();
    },
    20_000,
  );
});
