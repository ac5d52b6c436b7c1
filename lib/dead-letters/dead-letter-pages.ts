import type { Redis } from 'ioredis';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { RawEntry } from '../redis/replies.js';
import { readEntries, readRange, readRangeBackwards } from '../redis/stream-range.js';

/** How many dead letters are read at a time: each may hold a payload of a megabyte. */
const PAGE = 100;

/** A page of dead letters, and how many IDs or dead letters it stands for. */
export interface DeadLetterPage {
  readonly entries: readonly RawEntry[];
  readonly scanned: number;
}

/** The dead letters of these IDs, page by page. */
export async function* pagesOf(
  client: Redis,
  { deadLetters }: StreamKeys,
  ids: readonly string[],
): AsyncGenerator<DeadLetterPage> {
  for (let at = 0; at < ids.length; at += PAGE) {
    const some = ids.slice(at, at + PAGE);
    yield { entries: await readEntries(client, deadLetters, some), scanned: some.length };
  }
}

/**
 * The dead letters that are there now, from the oldest on, page by page. What comes meanwhile is left out: a redrive that fails
 * again would be met again, and there would be no end.
 */
export async function* pagesOfAll(
  client: Redis,
  { deadLetters }: StreamKeys,
): AsyncGenerator<DeadLetterPage> {
  const [last] = await readRangeBackwards(client, deadLetters, '+', '-', 1);
  if (last === undefined) return;
  for (let from: string | undefined = '-'; from !== undefined;) {
    const entries: RawEntry[] = await readRange(client, deadLetters, from, last.id, PAGE);
    if (entries.length > 0) yield { entries, scanned: entries.length };
    from = entries.length < PAGE ? undefined : `(${entries[entries.length - 1]?.id}`;
  }
}
