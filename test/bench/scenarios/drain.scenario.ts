import type { SubscriptionOptions } from 'nestjs-redis-streams';

import { withRedis } from '../measure/bench-redis.js';
import { column, inTurn, type Runs, type Side } from '../measure/in-turn.js';
import { median } from '../measure/statistics.js';
import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { type Figure, figure, ratio } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** How fast one process handles waiting messages, with a handler that does nothing. */
export const drain: Scenario = {
  key: 'drain',
  seconds: 300,
  quickSeconds: 10,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const messages = size.drain;
      await writeMessages(client, messages);
      const task = { redisUrl: url, messages };
      const prepare = (): Promise<void> => startOver(client);
      const ours = (subscription: SubscriptionOptions): Side => ({
        worker: 'drain-ours',
        task: { ...task, subscription },
        prepare,
      });
      const bare = (protocol: 2 | 3): Side => ({
        worker: 'drain-bare',
        task: { ...task, protocol },
        prepare,
      });
      const measured = await inTurn({
        sides: {
          resp2: bare(2),
          resp3: bare(3),
          atLeastOnce: ours({}),
          atMostOnce: ours({ delivery: 'at-most-once' }),
          dedupOff: ours({ dedup: false }),
        },
        size,
        ...size.long,
        onProgress,
      });
      const resp2 = column(measured.resp2, 0);
      const resp3 = column(measured.resp3, 0);
      // The faster of the two is what ioredis can do.
      const [faster, name] = median(resp3) > median(resp2) ? [resp3, 'RESP3'] : [resp2, 'RESP2'];
      const atLeastOnce = column(measured.atLeastOnce, 0);
      const atMostOnce = column(measured.atMostOnce, 0);
      const dedupOff = column(measured.dedupOff, 0);
      return {
        title: `Drain: ${messages} messages waiting, empty handler, one process`,
        figures: [
          figure('bare loop, RESP2', 'per second', resp2),
          figure('bare loop, RESP3', 'per second', resp3),
          figure('at-least-once', 'per second', atLeastOnce),
          figure('at-most-once', 'per second', atMostOnce),
          figure('dedup off', 'per second', dedupOff),
          ratio(`at-least-once / ${name}`, atLeastOnce, faster, { atLeast: 0.75 }),
          ratio(`at-most-once / ${name}`, atMostOnce, faster, { atLeast: 0.85 }),
          ratio(`dedup off / ${name}`, dedupOff, faster, { atLeast: 0.95 }),
          ...busy('bare loop, RESP2', measured.resp2),
          ...busy('at-least-once', measured.atLeastOnce),
          ...busy('at-most-once', measured.atMostOnce),
          ...busy('dedup off', measured.dedupOff),
        ],
      };
    }),
};

/** Which side of a drain is busy: 100 % is a whole core. */
const busy = (name: string, runs: Runs): Figure[] => [
  figure(`${name}: process busy`, 'percent', column(runs, 1)),
  figure(`${name}: Redis busy`, 'percent', column(runs, 2)),
];
