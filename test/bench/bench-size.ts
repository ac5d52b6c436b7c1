/** How much is measured. */
export interface BenchSize {
  /** Runs that count, after the warm-up. */
  readonly runs: number;
  /**
   * The same if one takes only a second or two: other load on the machine lasts about as long, and more runs
   * average it out.
   */
  readonly shortRuns: number;
  readonly warmUps: number;
  /** The same for runs of a million messages: each takes so long that compiling the code does not matter. */
  readonly long: { readonly runs: number; readonly warmUps: number };
  /** Whether a missed target fails the bench. */
  readonly enforced: boolean;
  /** Messages of one run, by scenario. */
  readonly drain: number;
  /** The same for the bare loop that tells how fast the machine is. */
  readonly bareLoop: number;
  /** Jobs of a peer's drain, which takes about as long as ours. */
  readonly peerDrain: number;
  readonly ledger: number;
  readonly publishAndConsume: number;
  readonly emit: number;
  readonly emitBatch: number;
  readonly idle: number;
  readonly waiting: number;
  readonly working: number;
  /** Streams without messages, and for how long the process is watched: rare events should occur once. */
  readonly idleStreams: number;
  readonly idleMs: number;
  /** Messages through one process, before the first measurement counts, and after it. */
  readonly memoryWarmUp: number;
  readonly memory: number;
}

export const FULL: BenchSize = {
  runs: 5,
  shortRuns: 9,
  warmUps: 1,
  long: { runs: 3, warmUps: 0 },
  enforced: true,
  drain: 1_000_000,
  bareLoop: 200_000,
  peerDrain: 200_000,
  ledger: 5_000_000,
  publishAndConsume: 20_000,
  emit: 50_000,
  emitBatch: 100_000,
  idle: 400,
  waiting: 20_000,
  working: 20_000,
  idleStreams: 500,
  idleMs: 15_000,
  memoryWarmUp: 400_000,
  memory: 2_000_000,
};

/** Only to see that the bench works: too little to say anything about speed. */
export const QUICK: BenchSize = {
  runs: 2,
  shortRuns: 2,
  warmUps: 1,
  long: { runs: 2, warmUps: 0 },
  enforced: false,
  drain: 2_000,
  bareLoop: 2_000,
  peerDrain: 500,
  ledger: 20_000,
  publishAndConsume: 500,
  emit: 1_000,
  emitBatch: 2_000,
  idle: 10,
  waiting: 1_000,
  working: 200,
  idleStreams: 20,
  idleMs: 500,
  memoryWarmUp: 2_000,
  memory: 6_000,
};
