import { withRedis } from '../measure/bench-redis.js';
import { inTurn, type Side } from '../measure/in-turn.js';
import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { figure } from '../report/figure.js';
import type { Scenario } from './scenario.js';

const CONCURRENCY = 100;
const WAIT_MS = 10;

/** Whether waiting handlers are kept busy: a hundred at once, ten milliseconds each, is ten thousand in a second. */
export const waiting: Scenario = {
  key: 'waiting',
  seconds: 60,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const messages = size.waiting;
      await writeMessages(client, messages);
      const side = (worker: string): Side => ({
        worker,
        task: {
          redisUrl: url,
          messages,
          waitMs: WAIT_MS,
          subscription: { concurrency: CONCURRENCY },
        },
        prepare: () => startOver(client),
      });
      const measured = await inTurn({
        sides: { timers: side('waiting-bare'), ours: side('waiting-ours') },
        size,
        runs: size.shortRuns,
        onProgress,
      });
      const best = (CONCURRENCY / WAIT_MS) * 1000;
      const [timers, ours] = [measured.timers.flat(), measured.ours.flat()];
      const ofBest = (rates: readonly number[]): number[] => rates.map((rate) => rate / best);
      return {
        title: `Handler that waits ${WAIT_MS} ms, concurrency ${CONCURRENCY}, ${messages} messages`,
        figures: [
          figure("Node's timers alone", 'per second', timers),
          figure('nestjs-redis-streams', 'per second', ours),
          figure("Node's timers / 10 000", 'times', ofBest(timers)),
          figure('ours / 10 000', 'times', ofBest(ours), { atLeast: 0.95 }),
        ],
      };
    }),
};
