import { assert, type IAsyncProperty, type IProperty } from 'fast-check';

const { FUZZ_SECONDS, FUZZ_SEED, FUZZ_PATH } = process.env;

/** What `npm test` tries is fixed, so that a failure there has its cause in the change. */
const SEED = 17;
const MOST_SEEDS = 2 ** 31;
const seconds = FUZZ_SECONDS === undefined ? undefined : Number(FUZZ_SECONDS);

/** Whether this is the long form. */
export const isLong = seconds !== undefined;

/** How long a test may take: a case that was begun is ended. */
export const FUZZ_TIMEOUT_MS = (seconds ?? 0) * 1_000 + 600_000;

interface Runs {
  /** How many cases are tried unless FUZZ_SECONDS is set. */
  readonly short: number;
  /** Whether a case takes so long that there is no time to make it smaller. */
  readonly isSlow?: boolean;
}

/** Tries a property: a fixed number of cases, or with FUZZ_SECONDS so long. A failure prints its seed and path. */
export async function fuzz<Case>(
  property: IProperty<Case> | IAsyncProperty<Case>,
  { short, isSlow = false }: Runs,
): Promise<void> {
  const numRuns = isLong && isSlow ? 1 : short;
  const until = performance.now() + (seconds ?? 0) * 1_000;
  const first = isLong ? Math.floor(Math.random() * MOST_SEEDS) : SEED;
  for (let seed = Number(FUZZ_SEED ?? first); ; seed = (seed + 1) % MOST_SEEDS) {
    await assert(property as IAsyncProperty<Case>, {
      seed,
      numRuns,
      endOnFailure: isSlow,
      ...(FUZZ_PATH === undefined ? {} : { path: FUZZ_PATH }),
    });
    if (performance.now() >= until) return;
  }
}
