import { partitionName } from './partitions.js';
import { type StreamKeys, streamKeys } from './stream-keys.js';
import { hashTagged } from './stream-name.js';

/** The stream that a name would be a partition of; nothing where it has no such form. */
export const streamOfPartition = (name: string): string | undefined =>
  /^\{(.+):\d+\}$/s.exec(name)?.[1];

/**
 * The stream, as users name it, that a place in Redis holds entries of: itself, or the one that it is a partition of.
 *
 * @param partitioned the streams that have partitions
 */
export function streamOfPlace(
  place: string,
  partitioned: Pick<ReadonlyMap<string, number>, 'has'>,
): string {
  const stream = streamOfPartition(place);
  return stream !== undefined && partitioned.has(stream) ? stream : place;
}

/**
 * HASH: the member of a group that owns a partition: `consumer`, `token`, `epoch` (higher with each owner), `since` and
 * `ends-at` (Redis time, ms) and `released-by` (the consumer that released it last). Without a token nobody owns it. It is in the
 * partition's hash slot.
 */
export const ownerKey = (
  keyPrefix: string,
  stream: string,
  partition: number,
  group: string,
): string => `${groupBase(keyPrefix, partitionName(stream, partition), group)}:owner`;

/** The keys by which the members of a group find each other, to share the partitions of a stream. */
export interface MemberKeys extends Pick<StreamKeys, 'members' | 'versions'> {
  /** HASH: consumer → the partitions that it says it has, as a JSON list. */
  readonly holdings: string;
}

export function memberKeys(keyPrefix: string, stream: string, group: string): MemberKeys {
  const { members, versions } = streamKeys(keyPrefix, stream, group);
  return { members, versions, holdings: `${members}:holdings` };
}

const groupBase = (keyPrefix: string, stream: string, group: string): string =>
  `stream:${hashTagged(streamKeys(keyPrefix, stream, group).stream)}:group:${group}`;
