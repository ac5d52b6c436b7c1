import { parseArgs } from 'node:util';

/** The arguments of the bench. */
export interface BenchArguments {
  /** The keys of the scenarios to run; all of them if empty. */
  readonly only: readonly string[];
  /** Too little to say anything about speed: only to see that the bench works. */
  readonly quick: boolean;
  /** Whether the figures go into `docs/performance.md`. */
  readonly write: boolean;
  /** The scenarios with other packages, which are installed for them, instead of our own. */
  readonly peers: boolean;
  readonly list: boolean;
}

export const USAGE = `npm run bench -- [--only drain,emit] [--quick] [--write] [--list]

  --only   the scenarios to run, by their keys
  --quick  sizes that show that the bench works, and nothing about speed
  --write  puts the figures into docs/performance.md, with charts
  --list   says which scenarios there are`;

/** @throws Error if an argument is unknown */
export function benchArguments(args: readonly string[]): BenchArguments {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: '' },
      quick: flag,
      write: flag,
      peers: flag,
      list: flag,
    },
  });
  const { only, ...flags } = values;
  return { ...flags, only: only.split(',').filter((key) => key !== '') };
}
