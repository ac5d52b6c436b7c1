import type { Redis } from 'ioredis';
import { dueStreamsScript } from '../redis/scripts/due-streams.script.js';
import type { StreamFlow } from './stream-flow.js';

/** Of so few streams the keys are sent at once: one round trip is worth more than a few keys. */
const FEW = 8;

/** Of each list of streams, which is another one once the streams are others: to make this anew costs more than the rest. */
const retriesOf = new WeakMap<readonly StreamFlow[], readonly string[]>();

/**
 * The streams in which something may be due. Where there are many of them, and nothing to do, what they cost is the keys
 * that each check names: so first it is asked with one for each.
 */
export async function dueAmong(
  client: Redis,
  flows: readonly StreamFlow[],
): Promise<readonly StreamFlow[]> {
  if (flows.length <= FEW) return flows;
  let keys = retriesOf.get(flows);
  if (keys === undefined) retriesOf.set(flows, (keys = flows.map((flow) => flow.keys.retries)));
  const numbers = await dueStreamsScript.run(client, keys, []);
  return numbers.flatMap((n) => flows[n] ?? []);
}
