import { partitionName } from './partitions.js';
import { streamKeys } from './stream-keys.js';
import { hashTagged } from './stream-name.js';

/** The stream that a name would be a partition of; nothing where it has no such form. */
export const streamOfPartition = (name: string): string | undefined =>
  /^\{(.+):\d+\}$/s.exec(name)?.[1];

/**
 * HASH: the member of a group that owns a partition: `consumer`, `token`, `epoch` (higher with each owner), `ends-at`
 * (Redis time, ms) and `released-by` (the consumer that released it last). Without a token nobody owns it. It is in the
 * partition's hash slot.
 */
export const ownerKey = (
  keyPrefix: string,
  stream: string,
  partition: number,
  group: string,
): string => `${groupBase(keyPrefix, partitionName(stream, partition), group)}:owner`;

/** The keys by which the members of a group find each other, to share the partitions of a stream. */
export interface MemberKeys {
  /** ZSET: consumer → until when it counts as there (Redis time, ms). */
  readonly members: string;
  /** HASH: consumer → the partitions that it says it has, as a JSON list. */
  readonly holdings: string;
}

export function memberKeys(keyPrefix: string, stream: string, group: string): MemberKeys {
  const members = `${groupBase(keyPrefix, stream, group)}:members`;
  return { members, holdings: `${members}:holdings` };
}

const groupBase = (keyPrefix: string, stream: string, group: string): string =>
  `stream:${hashTagged(streamKeys(keyPrefix, stream, group).stream)}:group:${group}`;
