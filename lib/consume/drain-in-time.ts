import type { StreamFlow } from './stream-flow.js';
import { within } from './within.js';

/** How long `close` may take beyond the drain: to record outcomes, and to leave the groups. */
const FINISH_MS = 600;

/**
 * Waits until everything is drained. If that takes too long, running handlers are told, and what did not start is given up.
 *
 * @param drained never rejects
 */
export async function drainInTime(
  drained: Promise<void>,
  flows: () => readonly StreamFlow[],
  timeoutMs: number,
): Promise<void> {
  if (await within(drained, timeoutMs)) return;
  // A handler that ends because it was told to has an outcome that is recorded like any other.
  const given = Promise.all(flows().map((flow) => flow.giveUp())).then(() => drained);
  await within(given, FINISH_MS);
}
