import { compareEntryIds } from '../redis/read/entry-id.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import type { ConsumedStream } from './consumed-stream.js';

/** A stream, or a partition of one, in Redis. */
export class StreamPlace {
  readonly position = new GroupPosition();

  constructor(
    /** What it is called in Redis, without `keyPrefix`. */
    readonly name: string,
    readonly keys: StreamKeys,
    readonly consumed: ConsumedStream,
    /** The number of the partition, if it is one. */
    readonly partition?: number,
  ) {}
}

/** Up to where a group was given the entries of a stream. */
class GroupPosition {
  /** The highest entry ID that was given out, as far as this consumer knows; empty if it knows of none. */
  highestId = '';

  /** The group was given this entry, and so all entries before it. */
  noteGiven(entryId: string): void {
    if (this.highestId === '' || compareEntryIds(entryId, this.highestId) > 0) {
      this.highestId = entryId;
    }
  }

  /** The stream is gone: a new one begins with lower IDs. */
  forget(): void {
    this.highestId = '';
  }
}
