import type { Redis } from 'ioredis';
import { readPartitionCount } from '../../redis/read/partition-records.js';
import { isNotAllowed } from '../../redis/server/redis-errors.js';

/** How many partitions a stream has, as its readers have noted it; nothing where none has, or where this user may not know. */
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
