import { RecentSize } from '../redis/read/recent-size.js';

/** How large an entry is taken to be before one was read: a first read of large entries cannot be undone. */
const UNKNOWN_BYTES = 4 * 1_048_576;

/**
 * How many bytes of entries one stream may hold in this process in addition to those that run. The partitions of a stream have
 * equal shares. A read cannot be limited by bytes, only by entries, and so their recent size says how many fit.
 */
export class ReadAheadBytes {
  private readonly size = new RecentSize(UNKNOWN_BYTES);
  private sharers = 0;

  /** @param most for all partitions of the stream together */
  constructor(private readonly most: number) {}

  /** One more partition has a share, and the others have less. */
  addShare(): void {
    this.sharers++;
  }

  removeShare(): void {
    this.sharers--;
  }

  /** A read has brought so many entries of so many bytes together. */
  note(entries: number, bytes: number): void {
    this.size.note(entries, bytes);
  }

  /** Whether so many bytes leave no capacity. */
  areFull(bytes: number): boolean {
    return bytes >= this.share;
  }

  /** How many more entries may be read, if so many bytes are held: at least 1 unless they are full. */
  roomBeside(bytes: number): number {
    return this.areFull(bytes) ? 0 : this.size.howManyIn(this.share - bytes);
  }

  /** Whether a read is worth its round trip: not for each large entry, but once half of the bytes are free. */
  isWorthARead(bytes: number): boolean {
    return bytes <= this.share / 2;
  }

  private get share(): number {
    return this.most / Math.max(1, this.sharers);
  }
}
