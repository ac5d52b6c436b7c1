import { withRedis } from '../measure/bench-redis.js';
import { inTurn, type Side } from '../measure/in-turn.js';
import { median, quantile } from '../measure/statistics.js';
import { startOver } from '../messages/waiting-messages.js';
import { figure, ratio } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** How long one message takes from `emit()` to its handler if nothing else happens. */
export const idle: Scenario = {
  key: 'idle',
  seconds: 75,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const side = (worker: string): Side => ({
        worker,
        task: { redisUrl: url, messages: size.idle },
        prepare: () => startOver(client),
      });
      const measured = await inTurn({
        sides: { bare: side('idle-bare'), ours: side('idle-ours') },
        size,
        runs: size.shortRuns,
        onProgress,
      });
      const p99 = (times: readonly number[]): number => quantile(times, 0.99);
      const medians = { ours: measured.ours.map(median), bare: measured.bare.map(median) };
      const p99s = { ours: measured.ours.map(p99), bare: measured.bare.map(p99) };
      return {
        title: `Idle stream: ${size.idle} messages, each sent when the stream is idle again`,
        figures: [
          figure('XADD → bare read, median', 'ms', medians.bare),
          figure('emit → handler, median', 'ms', medians.ours),
          figure('XADD → bare read, p99', 'ms', p99s.bare),
          figure('emit → handler, p99', 'ms', p99s.ours),
          ratio('ratio of the medians', medians.ours, medians.bare, { atMost: 2.2 }),
          ratio('ratio of the p99', p99s.ours, p99s.bare, { atMost: 3 }),
        ],
      };
    }),
};
