import { partitionIn, partitionName, partitionNames } from '../../wire/partitions.js';
import { streamKey } from '../../wire/stream-keys.js';
import { scanStreams } from '../../redis/read/scan-streams.js';
import { keyPattern } from '../../wire/wildcard.js';
import type { Session } from '../session.js';
import { notedPartitions } from './noted-partitions.js';

/**
 * How many partitions a stream has, by what Redis knows: what its readers have noted; else, where there is no such stream, as many as
 * are there. Nothing where it has none.
 */
export async function partitionsOf(session: Session, stream: string): Promise<number | undefined> {
  // A name with a hash tag has none; it may be one.
  if (stream.includes('{')) return undefined;
  const { client, prefix } = session;
  const noted = await notedPartitions(client, prefix, stream);
  if (noted !== undefined) return noted;
  if ((await client.exists(streamKey(prefix, stream))) === 1) return undefined;
  let count = 0;
  for await (const keys of scanStreams(client, keyPattern(prefix, [`{${stream}:*`]))) {
    for (const key of keys) {
      const found = partitionIn(key.slice(prefix.length));
      if (found !== undefined) count = Math.max(count, found.partition + 1);
    }
  }
  return count === 0 ? undefined : count;
}

/** The streams in Redis that are meant by a name: itself, and its partitions where it has any. */
export async function withPartitions(session: Session, stream: string): Promise<string[]> {
  const count = await partitionsOf(session, stream);
  return count === undefined ? [stream] : [stream, ...partitionNames(stream, count)];
}

/** How many partitions a stream has for those who would publish to it: without a look through all keys. */
export async function knownPartitions(
  { client, prefix }: Session,
  stream: string,
): Promise<{ readonly noted: number | undefined; readonly isPartitioned: boolean }> {
  if (stream.includes('{')) return { noted: undefined, isPartitioned: false };
  const [noted, first] = await Promise.all([
    notedPartitions(client, prefix, stream),
    client.exists(streamKey(prefix, partitionName(stream, 0))),
  ]);
  return { noted, isPartitioned: noted !== undefined || first === 1 };
}
