import type { RawEntry } from './replies.js';

/** The weight of the newest read if its entries are smaller than before. */
const NEWEST = 0.5;

/** The size of a stream's recent entries, as they were read. It grows at once, and shrinks within a few reads. */
export class RecentSize {
  private entryBytes: number | undefined;

  /** @param unknownBytes how large an entry is taken to be before one was read */
  constructor(private readonly unknownBytes: number) {}

  note(entries: number, bytes: number): void {
    if (entries === 0) return;
    const newest = bytes / entries;
    const before = this.entryBytes ?? newest;
    this.entryBytes = Math.max(newest, before + NEWEST * (newest - before));
  }

  /** How many entries have so many bytes together: at least 1. */
  howManyIn(bytes: number): number {
    return Math.max(1, Math.floor(bytes / Math.max(1, this.entryBytes ?? this.unknownBytes)));
  }
}

/** The bytes of an entry's fields and values. */
export function bytesOf(fields: RawEntry['fields']): number {
  let bytes = 0;
  if (fields !== undefined) for (const field of fields) bytes += field.length;
  return bytes;
}
