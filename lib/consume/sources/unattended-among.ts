import type { Redis } from 'ioredis';
import { findUnattendedStreamsScript } from '../../redis/scripts/reserve/find-unattended-streams.script.js';
import { FEW_STREAMS } from './few-streams.js';
import type { Membership } from './membership.js';
import type { StreamFlow } from '../stream-flow.js';

/** Redis serves nobody else while it looks: of so many streams, about a millisecond. */
const AT_ONCE = 150;

/**
 * The streams whose group may have to be made or set back, or of which entries may have been left by others. In a cluster
 * each has a node of its own to be asked at, and all of them are given back. To those that are not, it is said on the way that
 * this consumer is alive; to see to the group says it too.
 */
export async function unattendedAmong(
  client: Redis,
  group: string,
  minIdleMs: number,
  membership: Membership,
  flows: readonly StreamFlow[],
): Promise<readonly StreamFlow[]> {
  if (flows.length <= FEW_STREAMS || client.isCluster) return flows;
  const parts: StreamFlow[][] = [];
  for (let at = 0; at < flows.length; at += AT_ONCE) parts.push(flows.slice(at, at + AT_ONCE));
  const found = await Promise.all(
    parts.map(async (part) => {
      const keys = part.flatMap(({ keys: { stream, madeBlindly, members, versions } }) => [
        stream,
        madeBlindly,
        members,
        versions,
      ]);
      const each = part.flatMap((flow) => [
        flow.inHand.highestId,
        membership.isIn(flow) ? '1' : '',
      ]);
      const args = [group, minIdleMs, ...membership.row, ...each];
      const numbers = await findUnattendedStreamsScript.run(client, keys, args);
      return numbers.flatMap((n) => part[n] ?? []);
    }),
  );
  return found.flat();
}
