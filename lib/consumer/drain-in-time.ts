import type { StreamFlow } from './stream-flow.js';
import { within } from './within.js';

/** How long `close` may take beyond the drain: to record what ended, and to say goodbye. */
const FINISH_MS = 600;

/** Waits until all is drained. Where that takes too long, what still runs is told, and what did not start is given up. */
export async function drainInTime(
  drained: Promise<void>,
  flows: () => readonly StreamFlow[],
  timeoutMs: number,
): Promise<void> {
  if (await within(drained, timeoutMs)) return;
  // A handler that ends because it was told to has an outcome too, and it is recorded like any other.
  const given = Promise.all(flows().map((flow) => flow.giveUp())).then(() => drained);
  await within(given, FINISH_MS);
}
