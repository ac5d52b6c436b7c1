import type { BenchSize } from '../bench-size.js';
import { Contender } from './contender.js';
import type { Task } from './task.js';

/** One side of a comparison. */
export interface Side {
  /** A file in `workers/`, or the path of a program that serves tasks as those do. */
  readonly worker: string | URL;
  readonly task: Task;
  /** Brings Redis into the state in which each run begins. */
  readonly prepare: () => Promise<unknown>;
}

/** What a side measured, run by run. */
export type Runs = readonly (readonly number[])[];

/** One of the values that each run measured. */
export const column = (runs: Runs, at: number): readonly number[] =>
  runs.map((values) => values[at] ?? NaN);

export interface InTurn<Name extends string> {
  readonly sides: Readonly<Record<Name, Side>>;
  readonly size: BenchSize;
  /** How many runs count, and how many come before them; by default those of the size. */
  readonly runs?: number;
  readonly warmUps?: number;
  readonly onProgress: (share: number) => void;
}

/** Runs all sides in turn, so that other load on the machine affects all alike. */
export async function inTurn<Name extends string>({
  sides,
  size,
  runs = size.runs,
  warmUps = size.warmUps,
  onProgress,
}: InTurn<Name>): Promise<Record<Name, Runs>> {
  const names = Object.keys(sides) as Name[];
  const contenders = names.map((name) => Contender.start(sides[name].worker));
  const measured = names.map((): (readonly number[])[] => []);
  const rounds = warmUps + runs;
  try {
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        onProgress((round + turn / names.length) / rounds);
        // No side always comes first.
        const n = round % 2 === 0 ? turn : names.length - 1 - turn;
        const { task, prepare } = sides[names[n]!];
        await prepare();
        const result = await contenders[n]!.run(task);
        if (round >= warmUps) measured[n]!.push(result);
      }
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.end()));
  }
  return Object.fromEntries(names.map((name, n) => [name, measured[n] as Runs])) as Record<
    Name,
    Runs
  >;
}
