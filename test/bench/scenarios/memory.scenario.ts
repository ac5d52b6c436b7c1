import { STREAM } from '../bench-stream.js';
import { withRedis } from '../measure/bench-redis.js';
import { Contender } from '../measure/contender.js';
import { median } from '../measure/statistics.js';
import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { figure } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** How many samples are taken after the warm-up. */
const LOOKS = 20;
const MB = 2 ** 20;

/** Whether a process grows with the messages that it handles. */
export const memory: Scenario = {
  key: 'memory',
  seconds: 110,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const contender = Contender.start('memory-ours');
      const chunk = Math.ceil(size.memory / LOOKS);
      const total = size.memoryWarmUp + size.memory;
      const points: [number, number][] = [];
      await startOver(client);
      try {
        for (let handled = chunk; handled <= total; handled += chunk) {
          await client.xtrim(STREAM, 'MAXLEN', 0);
          await writeMessages(client, chunk);
          const [bytes = NaN] = await contender.run({ redisUrl: url, messages: handled });
          points.push([handled, bytes / MB]);
          onProgress(handled / total);
        }
      } finally {
        await contender.end();
      }
      // Garbage collection makes single samples vary: a few together are more accurate.
      const warm = points.filter(([handled]) => handled <= size.memoryWarmUp).map(([, rss]) => rss);
      const after = points.filter(([handled]) => handled > size.memoryWarmUp).map(([, rss]) => rss);
      const atFirst = median(warm.slice(-3));
      return {
        title: `Memory: ${size.memory} messages through one process, after a warm-up of ${size.memoryWarmUp}`,
        figures: [
          figure('RSS after the warm-up', 'MB', warm.slice(-3)),
          figure('RSS at the end', 'MB', after.slice(-3)),
          figure(
            'growth',
            'MB',
            after.slice(-3).map((rss) => rss - atFirst),
            { atMost: 20 },
          ),
          figure('growth at its peak', 'MB', [Math.max(...after) - atFirst]),
        ],
        curve: { across: 'messages handled', up: 'RSS, MB', points },
      };
    }),
};
