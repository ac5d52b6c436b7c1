import type { Redis } from 'ioredis';
import { compareEntryIds } from '../wire/ids.js';
import type { RawEntry } from '../redis/read/replies.js';
import { readRange, readRangeBackwards } from '../redis/read/streams.js';
import type { DeadLetterPlace, PlacedEntry, PlacedId } from './dead-letter.js';

/** How many dead letters one read returns: each may hold a payload of a megabyte. */
const PAGE = 100;

/** A page of dead letters, and how many IDs or dead letters were examined for it. */
export interface DeadLetterPage {
  readonly entries: readonly PlacedEntry[];
  readonly scanned: number;
}

/** The dead letters with these IDs, page by page. */
export async function* pagesOf(
  client: Redis,
  ids: readonly PlacedId[],
): AsyncGenerator<DeadLetterPage> {
  for (let at = 0; at < ids.length; at += PAGE) {
    const some = ids.slice(at, at + PAGE);
    const found = await Promise.all(some.map((id) => entryOf(client, id)));
    yield { entries: found.flat(), scanned: some.length };
  }
}

/** The dead letter with this ID, or an empty list if it does not exist. */
export async function entryOf(client: Redis, { place, id }: PlacedId): Promise<PlacedEntry[]> {
  const entries = await readRange(client, place.keys.deadLetters, id, id, 1);
  return entries.map((entry) => ({ place, entry }));
}

/**
 * All dead letters that exist now, the oldest first, page by page. Those written later are left out: a redrive that fails again
 * would be met again, without end.
 */
export async function* pagesOfAll(
  client: Redis,
  places: readonly DeadLetterPlace[],
): AsyncGenerator<DeadLetterPage> {
  const readers = await Promise.all(
    places.map(async (place) => {
      const { deadLetters } = place.keys;
      const [last] = await readRangeBackwards(client, deadLetters, '+', '-', 1);
      return last === undefined
        ? []
        : new PlaceReader(place, shareOf(PAGE, places), (after, count) =>
            readRange(client, deadLetters, after === undefined ? '-' : `(${after}`, last.id, count),
          );
    }),
  );
  let entries: PlacedEntry[] = [];
  for await (const placed of merged(readers.flat(), 1)) {
    entries.push(placed);
    if (entries.length < PAGE) continue;
    yield { entries, scanned: entries.length };
    entries = [];
  }
  if (entries.length > 0) yield { entries, scanned: entries.length };
}

/** One page, the newest first, after `before` in that order. */
export async function newestOf(
  client: Redis,
  places: readonly DeadLetterPlace[],
  limit: number,
  before: PlacedId | undefined,
): Promise<PlacedEntry[]> {
  const readers = places.map(
    (place) =>
      new PlaceReader(place, shareOf(limit, places), (after, count) => {
        const from = after === undefined ? newestFrom(place, before) : `(${after}`;
        return readRangeBackwards(client, place.keys.deadLetters, from, '-', count);
      }),
  );
  const page: PlacedEntry[] = [];
  for await (const placed of merged(readers, -1)) {
    page.push(placed);
    if (page.length === limit) break;
  }
  return page;
}

/** Of equal IDs, the one in the higher partition comes later. */
function newestFrom({ partition = 0 }: DeadLetterPlace, before: PlacedId | undefined): string {
  if (before === undefined) return '+';
  return partition > (before.place.partition ?? 0) ? before.id : `(${before.id}`;
}

/** How many entries each place reads at a time, so that all of them together hold about `size` in memory. */
const shareOf = (size: number, places: readonly unknown[]): number =>
  Math.ceil(size / places.length);

/** Reads the dead letters of one place in order, a page at a time. */
class PlaceReader {
  private page: readonly RawEntry[] = [];
  private at = 0;
  private ended = false;
  private lastId: string | undefined;

  constructor(
    readonly place: DeadLetterPlace,
    private readonly pageSize: number,
    /** Reads the page after this ID, or the first one. */
    private readonly read: (after: string | undefined, count: number) => Promise<RawEntry[]>,
  ) {}

  /** The current entry; `undefined` before {@link fill}, and at the end. */
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
 * Merges what the readers return into one order: by ID, then by partition.
 *
 * @param direction 1 for the oldest first, -1 for the newest first; the readers have the same
 */
async function* merged(
  readers: readonly PlaceReader[],
  direction: 1 | -1,
): AsyncGenerator<PlacedEntry> {
  await Promise.all(readers.map((reader) => reader.fill()));
  for (;;) {
    let first: PlaceReader | undefined;
    let entry: RawEntry | undefined;
    for (const reader of readers) {
      const { head } = reader;
      if (head === undefined) continue;
      if (entry !== undefined && compareEntryIds(head.id, entry.id) * direction >= 0) continue;
      [first, entry] = [reader, head];
    }
    if (first === undefined || entry === undefined) return;
    yield { place: first.place, entry };
    first.next();
    await first.fill();
  }
}
