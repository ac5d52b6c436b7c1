import { withRedis } from '../measure/bench-redis.js';
import { inTurn, type Side } from '../measure/in-turn.js';
import { figure, ratio } from '../report/figure.js';
import type { Scenario, ScenarioParts } from './scenario.js';
import type { ScenarioResult } from '../report/figure.js';

interface Publishing {
  readonly what: 'emit' | 'emitBatch';
  readonly title: string;
  readonly bareLabel: string;
  readonly messages: number;
  readonly atLeast: { readonly off: number; readonly on: number };
}

async function publishing(
  { what, title, bareLabel, messages, atLeast }: Publishing,
  { size, onProgress }: ScenarioParts,
): Promise<ScenarioResult> {
  return withRedis(async ({ url, client }) => {
    const side = (worker: string, publishDedup: boolean): Side => ({
      worker,
      task: { redisUrl: url, messages, publishDedup, what },
      prepare: () => client.flushall(),
    });
    const measured = await inTurn({
      sides: {
        bare: side('emit-bare', false),
        off: side('emit-ours', false),
        on: side('emit-ours', true),
      },
      size,
      runs: size.shortRuns,
      onProgress,
    });
    const [bare, off, on] = [measured.bare.flat(), measured.off.flat(), measured.on.flat()];
    return {
      title,
      figures: [
        figure(bareLabel, 'per second', bare),
        figure(`${what}, publish dedup off`, 'per second', off),
        figure(`${what}, publish dedup on`, 'per second', on),
        ratio('ratio, publish dedup off', off, bare, { atLeast: atLeast.off }),
        ratio('ratio, publish dedup on', on, bare, { atLeast: atLeast.on }),
      ],
    };
  });
}

/** How many messages one process publishes if it waits for a hundred answers before the next hundred. */
export const emit: Scenario = {
  key: 'emit',
  seconds: 55,
  quickSeconds: 5,
  run: (parts) =>
    publishing(
      {
        what: 'emit',
        title: `emit(): ${parts.size.emit} messages, 100 at a time`,
        bareLabel: 'XADD, auto-pipelining',
        messages: parts.size.emit,
        atLeast: { off: 0.8, on: 0.6 },
      },
      parts,
    ),
};

export const emitBatch: Scenario = {
  key: 'emit-batch',
  seconds: 70,
  quickSeconds: 5,
  run: (parts) =>
    publishing(
      {
        what: 'emitBatch',
        title: `emitBatch(): ${parts.size.emitBatch} messages, 1 000 in a batch`,
        bareLabel: 'pipeline of XADD',
        messages: parts.size.emitBatch,
        atLeast: { off: 0.95, on: 0.95 },
      },
      parts,
    ),
};
