import { compareEntryIds } from '../wire/ids.js';
import type { RawEntry } from '../redis/read/replies.js';
import type { DeadLetterPlace, PlacedEntry } from './dead-letter-places.js';

/** Reads on in one place, a page at a time. */
export class PlacedReading {
  private page: readonly RawEntry[] = [];
  private at = 0;
  private ended = false;
  private lastId: string | undefined;

  constructor(
    readonly place: DeadLetterPlace,
    private readonly pageSize: number,
    /** Gives the next page, after the ID of the last one where there was any. */
    private readonly read: (after: string | undefined, count: number) => Promise<RawEntry[]>,
  ) {}

  /** The next one; nothing before {@link fill}, and at the end. */
  get head(): RawEntry | undefined {
    return this.page[this.at];
  }

  next(): void {
    this.at += 1;
  }

  async fill(): Promise<void> {
    if (this.ended || this.head !== undefined) return;
    this.page = await this.read(this.lastId, this.pageSize);
    this.at = 0;
    this.lastId = this.page.at(-1)?.id ?? this.lastId;
    this.ended = this.page.length < this.pageSize;
  }
}

/**
 * What some places have, in one order: by ID, and by partition where these are the same.
 *
 * @param direction 1 from the oldest on, -1 from the newest on; the readings have the same
 */
export async function* mergedEntries(
  readings: readonly PlacedReading[],
  direction: 1 | -1,
): AsyncGenerator<PlacedEntry> {
  await Promise.all(readings.map((reading) => reading.fill()));
  for (;;) {
    let first: PlacedReading | undefined;
    let entry: RawEntry | undefined;
    for (const reading of readings) {
      const { head } = reading;
      if (head === undefined) continue;
      if (entry !== undefined && compareEntryIds(head.id, entry.id) * direction >= 0) continue;
      [first, entry] = [reading, head];
    }
    if (first === undefined || entry === undefined) return;
    yield { place: first.place, entry };
    first.next();
    await first.fill();
  }
}
