import { withRedis } from '../measure/bench-redis.js';
import { inTurn, type Side } from '../measure/in-turn.js';
import { figure, ratio } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/**
 * One process that publishes and handles its own messages, compared with Nest's own transport, which stores
 * nothing.
 */
export const publishAndConsume: Scenario = {
  key: 'publish',
  seconds: 30,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const messages = size.publishAndConsume;
      const side = (worker: string): Side => ({
        worker,
        task: { redisUrl: url, messages },
        prepare: () => client.flushall(),
      });
      const measured = await inTurn({
        sides: { theirs: side('publish-nest'), ours: side('publish-ours') },
        size,
        runs: size.shortRuns,
        onProgress,
      });
      const [theirs, ours] = [measured.theirs.flat(), measured.ours.flat()];
      return {
        title: `Publish ${messages}, 50 at a time, and consume, in one process`,
        figures: [
          figure("Nest's Redis pub/sub", 'per second', theirs),
          figure('nestjs-redis-streams', 'per second', ours),
          ratio('ratio', ours, theirs, { atLeast: 1.4 }),
        ],
      };
    }),
};
