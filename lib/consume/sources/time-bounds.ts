import { DEFAULTS, type ResolvedRetry } from '../../options/resolved-options.js';
import {
  boundDueTimesScript,
  boundLeasesScript,
} from '../../redis/scripts/reserve/bound-times.script.js';
import type { Member } from '../member.js';
import type { Pipeline } from '../pipeline.js';

/** How many rows one script looks at: Redis serves nobody else meanwhile. */
const PAGE = 1_000;

/** Bounds the times in a stream that Redis's clock wrote when it was ahead: nothing waits for longer than it can. */
export async function boundTimes(member: Member, pipeline: Pipeline): Promise<void> {
  const { client, group, leaseMs } = member;
  const { stream, leases, retries, attempts } = pipeline.keys;
  for (let highest = '+inf'; highest !== '';) {
    highest = await boundDueTimesScript.run(client, [retries, attempts], [highest, PAGE]);
  }
  const longestMs = longestDelayMs(pipeline.options.retry);
  for (let after = '-'; after !== '';) {
    after = await boundLeasesScript.run(
      client,
      [stream, leases, retries],
      [group, leaseMs, longestMs, after, PAGE],
    );
  }
}

/** The longest delay that the policy gives. */
function longestDelayMs({ backoff }: ResolvedRetry): number {
  if (typeof backoff === 'function') return DEFAULTS.backoff.maxDelayMs;
  const { type, delayMs, maxDelayMs, jitter } = backoff;
  return Math.ceil((type === 'fixed' ? delayMs : maxDelayMs) * (1 + jitter));
}
