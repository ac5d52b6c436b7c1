import { Redis } from 'ioredis';

import type { BenchSize } from '../bench-size.js';
import { inTurn } from '../measure/in-turn.js';
import type { ProgressBar } from '../report/progress-bar.js';
import { figures, perSecond, ratio } from '../report/rows.js';
import type { ScenarioResult } from '../report/scenario-result.js';
import { startOver, writeMessages } from '../waiting-messages.js';

const AT_LEAST = 0.4;

/** How fast one process gets through what waits, with a handler that does nothing. */
export async function drain(
  redisUrl: string,
  size: BenchSize,
  progress: ProgressBar,
): Promise<ScenarioResult> {
  const messages = size.drainMessages;
  const client = new Redis(redisUrl);
  try {
    await writeMessages(client, messages);
    const measured = await inTurn({
      title: 'drain',
      ours: 'drain-ours',
      bare: 'drain-bare',
      task: { redisUrl, messages },
      size,
      progress,
      prepare: () => startOver(client),
    });
    const ours = measured.ours.flat();
    const bare = measured.bare.flat();
    return {
      title: `Drain: ${messages} messages waiting, empty handler, dedup on, one process`,
      rows: [
        figures('bare loop on ioredis', bare, perSecond),
        figures('nestjs-redis-streams', ours, perSecond),
        ratio('ratio', ours, bare, { atLeast: AT_LEAST }),
      ],
    };
  } finally {
    await client.flushall();
    client.disconnect();
  }
}
