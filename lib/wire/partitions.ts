import { crc32 } from 'node:zlib';
import { hashTagged } from './stream-name.js';

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
