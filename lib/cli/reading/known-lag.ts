import { compareEntryIds } from '../../wire/ids.js';
import type { GroupInfo, StreamInfo } from '../../redis/read/xinfo.js';

/**
 * How many entries a group was not given yet, where that is known. Redis before 8 loses count after a trim past what was read,
 * and where a group began in the middle: then it is left out, and never said to be 0.
 */
export function knownLag(stream: StreamInfo, group: GroupInfo): number | undefined {
  const { length, firstEntryId, lastEntryId } = stream;
  if (lastEntryId === undefined || firstEntryId === undefined) return 0;
  if (compareEntryIds(group.lastDeliveredId, lastEntryId) >= 0) return 0;
  if (compareEntryIds(group.lastDeliveredId, firstEntryId) < 0) return length;
  return group.lag !== undefined && group.lag > 0 && group.lag < length ? group.lag : undefined;
}
