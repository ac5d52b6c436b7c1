import { crc32 } from 'node:zlib';
import { hashTagged } from './hash-slot.js';
import { type StreamKeys, streamKeys } from './stream-keys.js';
import type { Codec, MessageEnvelope } from './codec.js';

/** The name of one partition of `stream`. Its key has a hash tag of its own, so a cluster spreads them. */
export const partitionName = (stream: string, partition: number): string =>
  `{${stream}:${partition}}`;

/** The names of all partitions of `stream`, in order. */
export const partitionNames = (stream: string, partitions: number): string[] =>
  Array.from({ length: partitions }, (_, partition) => partitionName(stream, partition));

/** Which partition of which stream a name is; nothing where it looks like none. */
export function partitionIn(name: string): { stream: string; partition: number } | undefined {
  const [, stream, partition] = /^\{([^{}]+):(0|[1-9]\d{0,3})\}$/.exec(name) ?? [];
  return stream === undefined ? undefined : { stream, partition: Number(partition) };
}

/** The stream in Redis that takes a message with this ordering key, or message ID where it has none. */
export const placeOf = (stream: string, partitions: number | undefined, key: string): string =>
  partitions === undefined ? stream : partitionName(stream, partitionOf(key, partitions));

/** The streams in Redis that hold what was published to `stream`. */
export const placesOf = (stream: string, partitions: number | undefined): string[] =>
  partitions === undefined ? [stream] : partitionNames(stream, partitions);

/**
 * Which of so many partitions holds the messages of an ordering key (or of a message ID, where there is no key): the
 * CRC-32 of its UTF-8 bytes, modulo their number. It never changes: messages that wait were placed by it.
 */
export const partitionOf = (key: string, partitions: number): number => crc32(key) % partitions;

/** String: how many partitions of `stream` there are, as whoever read it last had it. */
export const partitionCountKey = (keyPrefix: string, stream: string): string =>
  `stream:${hashTagged(keyPrefix + stream)}:partitions`;

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

/** Everything in a partition is one lane: whose key a message has cannot be known. */
const ONLY_LANE = '';

/**
 * What says which messages of a partition are to be handled one after the other: those of one ordering key, and without a key
 * those of one message ID. Where the codec does not bring the key along, all of them.
 */
export function laneKeyFor(
  codec: Codec,
): (envelope: Pick<MessageEnvelope, 'key'>, messageId: string) => string {
  if (codec.carriesKey !== true) return () => ONLY_LANE;
  return ({ key }, messageId) => key ?? messageId;
}
