import { startRedis } from 'nestjs-redis-streams/testing';

import { benchSize } from './bench-size.js';
import { openProgressBar } from './report/progress-bar.js';
import { printScenario, printSetting } from './report/print.js';
import { drain } from './scenarios/drain.scenario.js';
import { idleLatency } from './scenarios/idle-latency.scenario.js';

const size = benchSize(process.argv.slice(2));
// Arguments ask for a server of our own: one that others use measures them too.
const redis = await startRedis({ args: [] });
const progress = openProgressBar(process.stdout);

try {
  await printSetting(redis.url);
  for (const scenario of [drain, idleLatency]) {
    const result = await scenario(redis.url, size, progress);
    progress.clear();
    printScenario(result, size.enforced);
    if (size.enforced && result.rows.some(({ bar }) => bar?.met === false)) process.exitCode = 1;
  }
} finally {
  progress.clear();
  await redis.stop();
}
