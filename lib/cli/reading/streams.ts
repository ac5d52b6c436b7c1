import type { Redis } from 'ioredis';
import { scanStreams } from '../../redis/read/streams.js';
import { readStream, type StreamInfo } from '../../redis/read/xinfo.js';
import { readPartitionCount } from '../../redis/read/own-records.js';
import { isNotAllowed } from '../../redis/server/redis-errors.js';
import { partitionIn, partitionName, partitionNames } from '../../wire/partitions.js';
import { isOwnKey, streamKey } from '../../wire/stream-keys.js';
import { keyPattern } from '../../wire/stream-names.js';
import { CliError } from '../cli.error.js';
import type { Session } from '../session.js';

/** The named streams with their partitions; if none is named, all that begin with the prefix, sorted. */
export async function streamsOf(session: Session, named: readonly string[]): Promise<string[]> {
  if (named.length > 0) {
    const each = await Promise.all(named.map((stream) => withPartitions(session, stream)));
    return [...new Set(each.flat())];
  }
  const { client, prefix } = session;
  const found = new Set<string>();
  for await (const keys of scanStreams(client, keyPattern(prefix, ['*']))) {
    for (const key of keys) {
      if (key.length > prefix.length && !isOwnKey(key)) found.add(key.slice(prefix.length));
    }
  }
  return [...found].sort();
}

async function withPartitions(session: Session, stream: string): Promise<string[]> {
  const count = await partitionsOf(session, stream);
  return count === undefined ? [stream] : [stream, ...partitionNames(stream, count)];
}

/** @throws CliError if it does not exist */
export async function streamOf(session: Session, stream: string): Promise<StreamInfo> {
  const info = await readStream(session.client, streamKey(session.prefix, stream));
  if (info === undefined) throw await noStream(session, stream);
  return info;
}

/** The error that a stream does not exist. If it has partitions, one of them must be named. */
export async function noStream(session: Session, stream: string): Promise<CliError> {
  const count = await partitionsOf(session, stream);
  return new CliError(
    count === undefined
      ? `there is no stream "${stream}"`
      : `stream "${stream}" has ${count} partitions, and this command is for one stream: name one of them, such as "${partitionName(stream, 0)}"`,
  );
}

/**
 * How many partitions a stream has: as its consumers have noted it, otherwise as many as exist in Redis.
 *
 * @returns undefined if it has none
 */
export async function partitionsOf(session: Session, stream: string): Promise<number | undefined> {
  // A name with a hash tag has no partitions; it may be one.
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

/** What can be known about a stream's partitions without scanning all keys. */
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

/** The number of partitions that a stream's consumers have noted; undefined if there is none, or this user may not read it. */
export async function notedPartitions(
  client: Redis,
  prefix: string,
  stream: string,
): Promise<number | undefined> {
  try {
    return await readPartitionCount(client, prefix, stream);
  } catch (error) {
    if (isNotAllowed(error)) return undefined;
    throw error;
  }
}
