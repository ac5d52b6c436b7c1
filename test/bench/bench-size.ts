/** How much is measured. */
export interface BenchSize {
  /** Runs that count, after the warm-up. */
  readonly runs: number;
  readonly warmUps: number;
  /** Messages that wait in a drain. */
  readonly drainMessages: number;
  /** Messages of one run on an idle stream. */
  readonly idleMessages: number;
  /** Whether a figure that misses its bar fails the bench. */
  readonly enforced: boolean;
}

const FULL: BenchSize = {
  runs: 7,
  warmUps: 2,
  drainMessages: 50_000,
  idleMessages: 200,
  enforced: true,
};

/** To see that the bench works: too little to say anything about speed. */
const SHORT: BenchSize = {
  runs: 2,
  warmUps: 1,
  drainMessages: 1_000,
  idleMessages: 10,
  enforced: false,
};

export function benchSize(args: readonly string[]): BenchSize {
  const unknown = args.find((arg) => arg !== '--short');
  if (unknown !== undefined) throw new Error(`Unknown argument ${unknown}; there is only --short`);
  return args.includes('--short') ? SHORT : FULL;
}
