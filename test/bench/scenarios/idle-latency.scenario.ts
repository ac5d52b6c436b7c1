import { Redis } from 'ioredis';

import type { BenchSize } from '../bench-size.js';
import { inTurn } from '../measure/in-turn.js';
import { median, quantile } from '../measure/statistics.js';
import type { ProgressBar } from '../report/progress-bar.js';
import { figures, milliseconds, ratio } from '../report/rows.js';
import type { ScenarioResult } from '../report/scenario-result.js';
import { startOver } from '../waiting-messages.js';

const AT_MOST = 4;

/** How long one message takes from `emit()` to its handler, where nothing else happens. */
export async function idleLatency(
  redisUrl: string,
  size: BenchSize,
  progress: ProgressBar,
): Promise<ScenarioResult> {
  const messages = size.idleMessages;
  const client = new Redis(redisUrl);
  try {
    const measured = await inTurn({
      title: 'idle latency',
      ours: 'idle-latency-ours',
      bare: 'idle-latency-bare',
      task: { redisUrl, messages },
      size,
      progress,
      prepare: () => startOver(client),
    });
    const medians = { ours: measured.ours.map(median), bare: measured.bare.map(median) };
    const p99 = (times: readonly number[]): number => quantile(times, 0.99);
    const p99s = { ours: measured.ours.map(p99), bare: measured.bare.map(p99) };
    return {
      title: 'Idle stream, one message at a time',
      rows: [
        figures('XADD → blocked read, median', medians.bare, milliseconds),
        figures('emit → handler, median', medians.ours, milliseconds),
        ratio('ratio of the medians', medians.ours, medians.bare, { atMost: AT_MOST }),
        figures('XADD → blocked read, p99', p99s.bare, milliseconds),
        figures('emit → handler, p99', p99s.ours, milliseconds),
        ratio('ratio of the p99', p99s.ours, p99s.bare),
      ],
    };
  } finally {
    client.disconnect();
  }
}
