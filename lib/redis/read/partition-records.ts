import type { Redis } from 'ioredis';
import { notePartitionCountScript } from '../scripts/partition/note-partition-count.script.js';
import { partitionCountKey } from '../../wire/stream-keys.js';

/** How many partitions a stream has, as its readers recorded it. Undefined if none did. */
export async function readPartitionCount(
  client: Redis,
  keyPrefix: string,
  stream: string,
): Promise<number | undefined> {
  const recorded = await client.get(partitionCountKey(keyPrefix, stream));
  return recorded === null ? undefined : Number(recorded);
}

/**
 * Records how many partitions a reader of a stream expects. These are two steps, so that a resent command gives the same
 * answer. Readers that start at the same time with different numbers are noticed at the next start.
 *
 * @returns what was recorded before
 */
export async function notePartitionCount(
  client: Redis,
  keyPrefix: string,
  stream: string,
  count: number,
): Promise<number | undefined> {
  const recorded = await readPartitionCount(client, keyPrefix, stream);
  if (recorded !== count) {
    await notePartitionCountScript.run(client, [partitionCountKey(keyPrefix, stream)], [count]);
  }
  return recorded;
}

/** Who owns a partition. */
export interface PartitionOwner {
  readonly consumer: string;
  /** Rises with each owner. At least Redis's time in ms when the owner took the partition. */
  readonly epoch: number;
  /** When the ownership ends unless it is renewed, in ms of Redis's clock. It may be in the past if nobody took over yet. */
  readonly endsAt: number;
}

/** @returns undefined if nobody owns the partition */
export async function readOwner(client: Redis, key: string): Promise<PartitionOwner | undefined> {
  const [consumer, epoch, endsAt] = await client.hmget(key, 'consumer', 'epoch', 'ends-at');
  if (typeof consumer !== 'string') return undefined;
  return { consumer, epoch: Number(epoch), endsAt: Number(endsAt) };
}
