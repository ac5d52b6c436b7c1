import type { Redis } from 'ioredis';
import { parseStreams, type RawEntry, type StreamEntries } from './replies.js';

/** A read as one consumer of a group, of what no consumer was given yet. */
export interface GroupRead {
  readonly group: string;
  readonly consumer: string;
  readonly streams: readonly string[];
  /** For each stream. */
  readonly count: number;
  /** How long Redis may wait for something, in ms; not at all where it is left out. */
  readonly blockMs?: number;
}

// Its overloads count arguments one by one, and the number of streams is not known here.
type AnyArguments = (...args: (string | number)[]) => Promise<unknown>;

/** `XREADGROUP … STREAMS … >`. An empty list where nothing came in time. */
export async function readGroup(client: Redis, read: GroupRead): Promise<StreamEntries[]> {
  const send: AnyArguments = client.xreadgroupBuffer.bind(client) as AnyArguments;
  const reply = await send(
    'GROUP',
    read.group,
    read.consumer,
    'COUNT',
    read.count,
    ...(read.blockMs === undefined ? [] : ['BLOCK', read.blockMs]),
    'STREAMS',
    ...read.streams,
    ...read.streams.map(() => '>'),
  );
  return parseStreams(reply, 'XREADGROUP');
}

/** A read of one stream, of what came after an entry. */
export interface StreamRead {
  readonly stream: string;
  readonly after: string;
  readonly count: number;
  /** How long Redis may wait for something, in ms. */
  readonly blockMs: number;
}

/** `XREAD … BLOCK …`. An empty list where nothing came in time. */
export async function readAfter(client: Redis, read: StreamRead): Promise<readonly RawEntry[]> {
  const { stream, after, count, blockMs } = read;
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
