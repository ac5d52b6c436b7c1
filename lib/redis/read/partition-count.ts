import type { Redis } from 'ioredis';
import { partitionCountKey } from '../../wire/partitions.js';

/** How many partitions a stream has, as its readers have noted it; nothing where none has. */
export async function readPartitionCount(
  client: Redis,
  keyPrefix: string,
  stream: string,
): Promise<number | undefined> {
  const noted = await client.get(partitionCountKey(keyPrefix, stream));
  return noted === null ? undefined : Number(noted);
}

/**
 * Notes how many partitions a reader of a stream knows. Two steps, so that a resent one gives no other answer; those who start at the
 * same time with other numbers find out when the next one starts.
 *
 * @returns what was noted before
 */
export async function notePartitionCount(
  client: Redis,
  keyPrefix: string,
  stream: string,
  count: number,
): Promise<number | undefined> {
  const noted = await readPartitionCount(client, keyPrefix, stream);
  if (noted !== count) await client.set(partitionCountKey(keyPrefix, stream), count);
  return noted;
}
