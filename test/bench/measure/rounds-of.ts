import { createHash } from 'node:crypto';

import { median } from './statistics.js';

/** Does an amount of work: the same on a busy machine, where it only takes longer. */
export function work(rounds: number): void {
  for (let round = 0; round < rounds; round++) createHash('sha1').update('a teapot').digest();
}

/** How many rounds of {@link work} take this long, on this machine as it is now. */
export function roundsOf(ms: number): number {
  const TRIED = 2_000;
  const times = Array.from({ length: 15 }, () => {
    const startedAt = performance.now();
    work(TRIED);
    return performance.now() - startedAt;
  });
  return Math.max(1, Math.round((ms / median(times)) * TRIED));
}
