import type { Redis } from 'ioredis';
import { readRange, readRangeBackwards } from '../redis/read/stream-reads.js';
import type { DeadLetterPlace, PlacedEntry, PlacedId } from './dead-letter-places.js';
import { mergedEntries, PlacedReading } from './merged-entries.js';

/** How many dead letters are read at a time: each may hold a payload of a megabyte. */
const PAGE = 100;

/** A page of dead letters, and how many IDs or dead letters it stands for. */
export interface DeadLetterPage {
  readonly entries: readonly PlacedEntry[];
  readonly scanned: number;
}

/** The dead letters of these IDs, page by page. */
export async function* pagesOf(
  client: Redis,
  ids: readonly PlacedId[],
): AsyncGenerator<DeadLetterPage> {
  for (let at = 0; at < ids.length; at += PAGE) {
    const some = ids.slice(at, at + PAGE);
    const found = await Promise.all(some.map((its) => entryOf(client, its)));
    yield { entries: found.flat(), scanned: some.length };
  }
}

/** The dead letter of this ID; an empty list where it is not there. */
export async function entryOf(client: Redis, { place, id }: PlacedId): Promise<PlacedEntry[]> {
  const entries = await readRange(client, place.keys.deadLetters, id, id, 1);
  return entries.map((entry) => ({ place, entry }));
}

/**
 * The dead letters that are there now, from the oldest on, page by page. What comes meanwhile is left out: a redrive that fails
 * again would be met again, and there would be no end.
 */
export async function* pagesOfAll(
  client: Redis,
  places: readonly DeadLetterPlace[],
): AsyncGenerator<DeadLetterPage> {
  const readings = await Promise.all(
    places.map(async (place) => {
      const { deadLetters } = place.keys;
      const [last] = await readRangeBackwards(client, deadLetters, '+', '-', 1);
      return last === undefined
        ? []
        : new PlacedReading(place, shareOf(PAGE, places), (after, count) =>
            readRange(client, deadLetters, after === undefined ? '-' : `(${after}`, last.id, count),
          );
    }),
  );
  let entries: PlacedEntry[] = [];
  for await (const placed of mergedEntries(readings.flat(), 1)) {
    entries.push(placed);
    if (entries.length < PAGE) continue;
    yield { entries, scanned: entries.length };
    entries = [];
  }
  if (entries.length > 0) yield { entries, scanned: entries.length };
}

/** One page, the newest first: those after `before` in that order. */
export async function newestOf(
  client: Redis,
  places: readonly DeadLetterPlace[],
  limit: number,
  before: PlacedId | undefined,
): Promise<PlacedEntry[]> {
  const readings = places.map(
    (place) =>
      new PlacedReading(place, shareOf(limit, places), (after, count) => {
        const from = after === undefined ? newestFrom(place, before) : `(${after}`;
        return readRangeBackwards(client, place.keys.deadLetters, from, '-', count);
      }),
  );
  const page: PlacedEntry[] = [];
  for await (const placed of mergedEntries(readings, -1)) {
    page.push(placed);
    if (page.length === limit) break;
  }
  return page;
}

/** Of equal IDs, those of higher partitions come later. */
function newestFrom({ partition = 0 }: DeadLetterPlace, before: PlacedId | undefined): string {
  if (before === undefined) return '+';
  return partition > (before.place.partition ?? 0) ? before.id : `(${before.id}`;
}

/** So that a page is about so much in memory, however many places there are. */
const shareOf = (size: number, places: readonly unknown[]): number =>
  Math.ceil(size / places.length);
