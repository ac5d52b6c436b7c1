import { parseArgs } from 'node:util';

/** What the bench was asked for. */
export interface BenchArguments {
  /** The keys of the scenarios to run; all of them where it is empty. */
  readonly only: readonly string[];
  /** Too little to say anything about speed: to see that the bench works. */
  readonly quick: boolean;
  /** Whether the figures go into `docs/performance.md`. */
  readonly write: boolean;
  /** The scenarios beside other packages, which are installed for it, and not our own. */
  readonly peers: boolean;
  readonly list: boolean;
}

export const USAGE = `npm run bench -- [--only drain,emit] [--quick] [--write] [--list]

  --only   the scenarios to run, by their keys
  --quick  sizes that show that the bench works, and nothing about speed
  --write  puts the figures into docs/performance.md, with charts
  --list   says which scenarios there are`;

/** @throws Error where an argument is unknown */
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
