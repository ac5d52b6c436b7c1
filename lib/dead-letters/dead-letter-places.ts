import { InvalidOptionsError } from '../errors/options.errors.js';
import { partitionNames } from '../wire/partitions.js';
import { type StreamKeys, streamKeys } from '../wire/stream-keys.js';
import type { RawEntry } from '../redis/read/replies.js';
import * as text from './dead-letters.messages.js';

/** Where a group has dead letters of a stream: beside it, or beside one of its partitions. */
export interface DeadLetterPlace {
  readonly partition: number | undefined;
  readonly keys: StreamKeys;
}

/** A dead letter as Redis has it, and where. */
export interface PlacedEntry {
  readonly place: DeadLetterPlace;
  readonly entry: RawEntry;
}

/** Where to look for one. */
export interface PlacedId {
  readonly place: DeadLetterPlace;
  /** Redis's. */
  readonly id: string;
}

/** All places of one group of one stream. */
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
   * Reads an ID as users know it. Redis gives each partition IDs of its own, which can be the same: so these say theirs.
   *
   * @param path where it was given, for the error
   * @throws InvalidOptionsError where it names no place, or one that is not there
   */
  find(given: string, path: string): PlacedId {
    const [first] = this.all;
    const colon = given.indexOf(':');
    const id = given.slice(colon + 1);
    const isPartitioned = first?.partition !== undefined;
    const place =
      colon < 0
        ? !isPartitioned && first
        : isPartitioned && this.all[Number(given.slice(0, colon))];
    if (place) return { place, id };
    const allowed = isPartitioned
      ? text.idWithPartition(this.all.length)
      : text.ID_WITHOUT_PARTITION;
    throw new InvalidOptionsError(path, JSON.stringify(given), allowed);
  }
}

/** The ID by which users know a dead letter. */
export const idOf = ({ place: { partition }, entry: { id } }: PlacedEntry): string =>
  partition === undefined ? id : `${partition}:${id}`;
