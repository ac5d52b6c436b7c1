import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import type { RawEntry } from '../redis/read/replies.js';
import { partitionNames } from '../wire/partitions.js';
import { type StreamKeys, streamKeys } from '../wire/stream-keys.js';

/** Where Redis keeps a group's dead letters: with the stream, or with each of its partitions. */
export interface DeadLetterPlace {
  readonly partition: number | undefined;
  readonly keys: StreamKeys;
}

/** A dead letter as Redis stores it, and its place. */
export interface PlacedEntry {
  readonly place: DeadLetterPlace;
  readonly entry: RawEntry;
}

/** The ID of a dead letter in Redis, and its place. */
export interface PlacedId {
  readonly place: DeadLetterPlace;
  readonly id: string;
}

/** All places of the dead letters of one group of one stream. */
export class DeadLetterPlaces {
  readonly all: readonly DeadLetterPlace[];

  constructor(keyPrefix: string, stream: string, group: string, partitions: number | undefined) {
    this.all =
      partitions === undefined
        ? [{ partition: undefined, keys: streamKeys(keyPrefix, stream, group) }]
        : partitionNames(stream, partitions).map((name, partition) => ({
            partition,
            keys: streamKeys(keyPrefix, name, group),
          }));
  }

  /**
   * Parses the ID of a dead letter. Entries of two partitions may have the same ID in Redis, so there it includes the partition.
   *
   * @param path the option that held the ID, for the error
   * @throws InvalidOptionsError if it names a partition that does not exist, or none although the stream has partitions
   */
  find(given: string, path: string): PlacedId {
    const isPartitioned = this.all[0]?.partition !== undefined;
    const [, partition, id = given] = /^(\d+):(.*)$/.exec(given) ?? [];
    const isComplete = isPartitioned === (partition !== undefined);
    const place = isComplete ? this.all[Number(partition ?? 0)] : undefined;
    if (place !== undefined) return { place, id };
    throw new InvalidOptionsError(
      path,
      JSON.stringify(given),
      isPartitioned
        ? `the ID of a dead letter with its partition (0 to ${this.all.length - 1}) before it, such as "0:1729768245123-0"`
        : 'the ID of a dead letter without a partition: the options name none for its stream',
    );
  }
}

/** The ID that users know a dead letter by. */
export const idOf = ({ place: { partition }, entry: { id } }: PlacedEntry): string =>
  partition === undefined ? id : `${partition}:${id}`;
