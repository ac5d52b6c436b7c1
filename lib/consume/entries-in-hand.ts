import { isRedrive, compareEntryIds } from '../wire/entry-id.js';

/** The entries of a stream that this consumer has read and not settled, and up to where its group was given them. */
export class EntriesInHand {
  private readonly ids = new Set<string>();
  /** The highest entry ID that the group was given, as far as this consumer knows; empty where it knows of none. */
  highestId = '';

  get size(): number {
    return this.ids.size;
  }

  /** Nobody may bring it a second time. */
  has(entryId: string): boolean {
    return this.ids.has(entryId);
  }

  add(entryId: string): void {
    this.ids.add(entryId);
  }

  remove(entryId: string): void {
    this.ids.delete(entryId);
  }

  /** Those of now: what is settled meanwhile may be in an answer still. */
  snapshot(): ReadonlySet<string> {
    return new Set(this.ids);
  }

  /** The group was given `entryId`, and so whatever comes before. */
  noteGiven(entryId: string): void {
    if (isRedrive(entryId)) return;
    if (this.highestId === '' || compareEntryIds(entryId, this.highestId) > 0) {
      this.highestId = entryId;
    }
  }
}
