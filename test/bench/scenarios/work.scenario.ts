import { withRedis } from '../measure/bench-redis.js';
import { column, inTurn } from '../measure/in-turn.js';
import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { figure } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** What one message of a drain takes, and where: in whose JavaScript, and in the scripts in Redis. */
export const work: Scenario = {
  key: 'work',
  seconds: 90,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const messages = size.drain;
      await writeMessages(client, messages);
      const { ours } = await inTurn({
        sides: {
          ours: {
            worker: 'work-ours',
            task: { redisUrl: url, messages, subscription: { batchSize: 100 } },
            prepare: () => startOver(client),
          },
        },
        size,
        ...size.long,
        onProgress,
      });
      return {
        title: `Work for each message of a drain of ${messages}`,
        figures: [
          figure('our own JavaScript', 'us', column(ours, 0), { atMost: 1.4 }),
          figure('Nest', 'us', column(ours, 1)),
          figure('ioredis', 'us', column(ours, 2)),
          figure('garbage collection', 'us', column(ours, 3)),
          figure('Node and V8', 'us', column(ours, 4)),
          figure('idle', 'us', column(ours, 5)),
          figure('Redis, reserve and commit', 'us', column(ours, 6), { atMost: 2.5 }),
          figure('Redis, all of its CPU time', 'us', column(ours, 7)),
        ],
      };
    }),
};
