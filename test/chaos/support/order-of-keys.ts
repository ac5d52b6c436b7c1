import type { Run } from './journal.js';
import type { Work } from './work.js';

/** What was out of order, in words: each begins with the message ID. */
export function outOfOrder(
  runs: readonly Run[],
  stopped: ReadonlySet<number> = new Set(),
): string[] {
  const wrong: string[] = [];
  const byKey = new Map<string, Run[]>();
  for (const run of runs) {
    const { key = '' } = workOf(run);
    const ofKey = byKey.get(key);
    if (ofKey === undefined) byKey.set(key, [run]);
    else ofKey.push(run);
  }
  for (const each of byKey.values()) wrong.push(...wrongOf(each, stopped));
  return wrong;
}

/**
 * Another run of the same message is allowed, one of an earlier message never, and one of the next once the
 * message was handled.
 */
function wrongOf(runs: readonly Run[], stopped: ReadonlySet<number>): string[] {
  const wrong: string[] = [];
  let at = -1;
  let isHandled = true;
  let before: Run | undefined;
  for (const run of [...runs].sort((a, b) => a.startedAt - b.startedAt)) {
    const { n = -1 } = workOf(run);
    if (n < at) wrong.push(`${run.messageId} ran after a later one of its key`);
    if (n > at + 1) wrong.push(`${run.messageId} ran before an earlier one of its key`);
    if (n === at + 1 && !isHandled)
      wrong.push(`${run.messageId} ran before its predecessor was handled`);
    const overlaps = before?.endedAt !== undefined && before.endedAt > run.startedAt;
    if (overlaps && !stopped.has(before?.pid ?? 0)) {
      wrong.push(`${run.messageId} ran concurrently with another of its key`);
    }
    if (n !== at) isHandled = false;
    if (run.outcome === 'handled') isHandled = true;
    at = Math.max(at, n);
    before = run;
  }
  return wrong;
}

const workOf = ({ payload }: Run): Work => JSON.parse(payload) as Work;
