import type { Redis } from 'ioredis';
import { parseEntries, type RawEntry } from './replies.js';

/** Entries of a stream from `from` to `to`, both of which are ends for `XRANGE`: an ID, `(` and an ID, `-` or `+`. */
export async function readRange(
  client: Redis,
  key: string,
  from: string,
  to: string,
  count: number,
): Promise<RawEntry[]> {
  return parseEntries(await client.xrangeBuffer(key, from, to, 'COUNT', count), 'XRANGE');
}

/** The same from the newest on. */
export async function readRangeBackwards(
  client: Redis,
  key: string,
  from: string,
  to: string,
  count: number,
): Promise<RawEntry[]> {
  return parseEntries(await client.xrevrangeBuffer(key, from, to, 'COUNT', count), 'XREVRANGE');
}
