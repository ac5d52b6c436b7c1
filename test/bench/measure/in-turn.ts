import type { BenchSize } from '../bench-size.js';
import type { ProgressBar } from '../report/progress-bar.js';
import { Contender, type Task } from './contender.js';

/** What both sides measured, run by run. */
export interface Measured {
  readonly ours: readonly (readonly number[])[];
  readonly bare: readonly (readonly number[])[];
}

export interface InTurn {
  readonly title: string;
  /** The workers, by their names in `workers/`. */
  readonly ours: string;
  readonly bare: string;
  readonly task: Task;
  readonly size: BenchSize;
  readonly progress: ProgressBar;
  /** Brings Redis into the state in which each run begins. */
  readonly prepare: () => Promise<void>;
}

/** Runs both sides in turn, so that whatever else the machine does meets both alike. */
export async function inTurn(parts: InTurn): Promise<Measured> {
  const { title, task, size, progress, prepare } = parts;
  const sides = {
    ours: { worker: Contender.start(parts.ours), measured: [] as (readonly number[])[] },
    bare: { worker: Contender.start(parts.bare), measured: [] as (readonly number[])[] },
  };
  const rounds = size.warmUps + size.runs;
  try {
    for (let round = 0; round < rounds; round++) {
      // Neither always comes first.
      const order = round % 2 === 0 ? [sides.bare, sides.ours] : [sides.ours, sides.bare];
      for (const [half, { worker, measured }] of order.entries()) {
        progress.show(title, (round * 2 + half) / (rounds * 2));
        await prepare();
        const result = await worker.run(task);
        if (round >= size.warmUps) measured.push(result);
      }
    }
  } finally {
    await Promise.all([sides.ours.worker.end(), sides.bare.worker.end()]);
  }
  return { ours: sides.ours.measured, bare: sides.bare.measured };
}
