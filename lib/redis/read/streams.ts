import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { mastersOf } from '../connect/cluster-client.js';
import {
  parseEntries,
  parseList,
  parseStreams,
  parseText,
  type RawEntry,
  type StreamEntries,
} from './replies.js';

/** Reads new entries of several streams as one consumer of a group. */
export interface GroupRead {
  readonly group: string;
  readonly consumer: string;
  readonly streams: readonly string[];
  /** How many entries at most, per stream. */
  readonly count: number;
  /** How long Redis may wait for entries, in ms. If undefined, it does not wait. */
  readonly blockMs?: number;
}

// The overloads of ioredis need a known number of arguments.
type AnyArguments = (...args: (string | number)[]) => Promise<unknown>;

/** `XREADGROUP … STREAMS … >`. An empty list if nothing came in time. */
export async function readGroup(client: Redis, read: GroupRead): Promise<StreamEntries[]> {
  const { group, consumer, streams, count, blockMs } = read;
  const send: AnyArguments = client.xreadgroupBuffer.bind(client) as AnyArguments;
  const block = blockMs === undefined ? [] : ['BLOCK', blockMs];
  const ids = streams.map(() => '>');
  const reply = await send(
    'GROUP',
    group,
    consumer,
    'COUNT',
    count,
    ...block,
    'STREAMS',
    ...streams,
    ...ids,
  );
  return parseStreams(reply, 'XREADGROUP');
}

/** No entry that was given out comes after this one. Redis takes the last possible ID, one more, for `>`. */
const LAST_ID = '18446744073709551615-18446744073709551614';

/**
 * Reads nothing, in the way in which entries are read: a consumer's pending entries after the last possible one.
 *
 * @throws what Redis would refuse a read with
 */
export async function probeGroup(
  client: Redis,
  stream: string,
  group: string,
  consumer: string,
): Promise<void> {
  await client.xreadgroupBuffer('GROUP', group, consumer, 'COUNT', 1, 'STREAMS', stream, LAST_ID);
}

/** Reads the entries of one stream that come after `after`. */
export interface StreamRead {
  readonly stream: string;
  readonly after: string;
  readonly count: number;
  /** How long Redis may wait for entries, in ms. */
  readonly blockMs: number;
}

/** `XREAD … BLOCK …`. An empty list if nothing came in time. */
export async function readAfter(
  client: Redis,
  { stream, after, count, blockMs }: StreamRead,
): Promise<readonly RawEntry[]> {
  const reply = await client.xreadBuffer(
    'COUNT',
    count,
    'BLOCK',
    blockMs,
    'STREAMS',
    stream,
    after,
  );
  return parseStreams(reply, 'XREAD')[0]?.entries ?? [];
}

/** Entries between two ends of `XRANGE`: an ID, `(` and an ID, `-` or `+`. Oldest first. */
export async function readRange(
  client: Redis,
  key: string,
  from: string,
  to: string,
  count: number,
): Promise<RawEntry[]> {
  return parseEntries(await client.xrangeBuffer(key, from, to, 'COUNT', count), 'XRANGE');
}

/** The same, newest first. */
export async function readRangeBackwards(
  client: Redis,
  key: string,
  from: string,
  to: string,
  count: number,
): Promise<RawEntry[]> {
  return parseEntries(await client.xrevrangeBuffer(key, from, to, 'COUNT', count), 'XREVRANGE');
}

/** The ID that `CLIENT UNBLOCK` needs to end a blocking read. Undefined if the user may not ask. */
export async function clientId(client: Redis): Promise<number | undefined> {
  try {
    return await client.client('ID');
  } catch {
    return undefined;
  }
}

/** How many keys one step looks at. Redis serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * Walks through the keys of streams that match a pattern, page by page. A key may come twice, and a stream that is created
 * meanwhile may be missed. After each page it waits as long as that took, so that Redis has time for others.
 *
 * @param match a pattern of Redis; see `keyPattern()`
 * @throws the signal's reason if it aborts first
 */
export function scanStreams(
  client: Redis,
  match: string,
  signal?: AbortSignal,
): AsyncGenerator<string[], void> {
  return scan(client, ['MATCH', match, 'TYPE', 'stream'], signal);
}

/** The same for keys of any type. */
export const scanKeys = (client: Redis, match: string): AsyncGenerator<string[], void> =>
  scan(client, ['MATCH', match]);

async function* scan(
  client: Redis,
  filter: readonly string[],
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<string[], void> {
  // In a cluster each master knows only its own keys.
  for (const node of mastersOf(client)) yield* scanNode(node, filter, signal);
}

async function* scanNode(
  client: Redis,
  filter: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string[], void> {
  for (let cursor = '0'; ;) {
    const since = performance.now();
    const reply = await client.callBuffer('SCAN', cursor, 'COUNT', STEP, ...filter);
    const tookMs = performance.now() - since;
    signal.throwIfAborted();
    const [next, keys] = parseList(reply, 'SCAN');
    yield parseList(keys, 'SCAN').flatMap(textOf);
    cursor = parseText(next, 'SCAN');
    if (cursor === '0') return;
    await delay(tookMs, undefined, { signal });
  }
}

/** Skips keys that are not UTF-8: no options could name such a stream. */
function textOf(key: unknown): string[] {
  const text = parseText(key, 'SCAN');
  return Buffer.isBuffer(key) && !Buffer.from(text).equals(key) ? [] : [text];
}
