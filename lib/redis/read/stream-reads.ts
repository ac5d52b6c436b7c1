import type { Redis } from 'ioredis';
import { parseEntries, parseStreams, type RawEntry, type StreamEntries } from './replies.js';

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
