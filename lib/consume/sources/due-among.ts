import type { Redis } from 'ioredis';
import { RepeatedCall } from '../../redis/scripts/script.js';
import { findDueStreamsScript } from '../../redis/scripts/reserve/find-due-streams.script.js';
import { FEW_STREAMS } from './few-streams.js';
import type { StreamFlow } from '../stream-flow.js';

/** Of each list of streams, which is another one once the streams are others. */
const callFor = new WeakMap<readonly StreamFlow[], RepeatedCall<number[]>>();

/**
 * The streams in which something may be due. Where there are many of them, and nothing to do, what they cost is the keys
 * that each check names: so first it is asked with one for each.
 */
export async function dueAmong(
  client: Redis,
  flows: readonly StreamFlow[],
): Promise<readonly StreamFlow[]> {
  if (flows.length <= FEW_STREAMS) return flows;
  let call = callFor.get(flows);
  if (call === undefined) {
    const keys = flows.map((flow) => flow.keys.retries);
    callFor.set(flows, (call = new RepeatedCall(findDueStreamsScript, keys)));
  }
  const numbers = await call.run(client);
  return numbers.flatMap((n) => flows[n] ?? []);
}
