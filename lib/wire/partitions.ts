import { crc32 } from 'node:zlib';
import type { Codec, MessageEnvelope } from './codec.js';

/** Each partition is read on its own by every member, and is a row in each answer about the stream. */
export const MOST_PARTITIONS = 1_024;

/** The name of one partition of `stream`. Its braces give it a hash slot of its own, so a cluster spreads partitions. */
export const partitionName = (stream: string, partition: number): string =>
  `{${stream}:${partition}}`;

/** The names of all partitions of `stream`, in order. */
export const partitionNames = (stream: string, partitions: number): string[] =>
  Array.from({ length: partitions }, (_, partition) => partitionName(stream, partition));

/** @returns undefined if the text is no number of partitions */
export const parsePartitionCount = (text: string): number | undefined =>
  /^[1-9]\d{0,3}$/.test(text) && Number(text) <= MOST_PARTITIONS ? Number(text) : undefined;

/** Reads the name of a partition. @returns undefined if it is not one */
export function partitionIn(name: string): { stream: string; partition: number } | undefined {
  const [, stream, partition] = /^\{([^{}]+):(0|[1-9]\d{0,3})\}$/.exec(name) ?? [];
  if (stream === undefined || Number(partition) >= MOST_PARTITIONS) return undefined;
  return { stream, partition: Number(partition) };
}

/** The stream that a name would be a partition of, or undefined. */
export const streamOfPartition = (name: string): string | undefined => partitionIn(name)?.stream;

/**
 * The stream, as users name it, whose entries a stream in Redis holds: itself, or the stream that it is a partition of.
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
 * The partition of an ordering key, or of a message ID if there is no key: the CRC-32 of its UTF-8 bytes, modulo the number
 * of partitions. It must never change, since waiting messages were placed by it.
 */
export const partitionOf = (key: string, partitions: number): number => crc32(key) % partitions;

/** The stream in Redis for a message with this ordering key, or message ID if it has no key. */
export const placeOf = (stream: string, partitions: number | undefined, key: string): string =>
  partitions === undefined ? stream : partitionName(stream, partitionOf(key, partitions));

/** The streams in Redis that hold what was published to `stream`. */
export const placesOf = (stream: string, partitions: number | undefined): string[] =>
  partitions === undefined ? [stream] : partitionNames(stream, partitions);

/**
 * Makes a function that tells the lane of a message: the messages of one lane run one after another. Each ordering key has a
 * lane; without a key, each message ID. If the codec does not carry keys, the whole partition is one lane.
 */
export function laneKeyFor(
  codec: Codec,
): (envelope: Pick<MessageEnvelope, 'key'>, messageId: string) => string {
  if (codec.carriesKey !== true) return () => '';
  return ({ key }, messageId) => key ?? messageId;
}
