import type { Redis } from 'ioredis';
import { partitionIn } from '../../wire/partitions.js';
import { notedPartitions } from '../reading/noted-partitions.js';
import type { GroupRow } from '../reading/group-rows.js';
import * as text from './doctor.messages.js';
import type { Finding } from './finding.js';

/** What waits where nobody reads: beside the partitions of a stream, or in one that it has no more. */
export async function checkPartitions(
  client: Redis,
  prefix: string,
  name: string,
  rows: readonly GroupRow[],
): Promise<Finding[]> {
  const { stream, partition } = partitionIn(name) ?? { stream: name, partition: undefined };
  if (stream.includes('{')) return [];
  const count = await notedPartitions(client, prefix, stream);
  if (count === undefined || (partition !== undefined && partition < count)) return [];
  const unread = rows.filter(({ group, length, lag, pending = 0 }) =>
    group === undefined ? length > 0 : lag !== 0 || pending > 0,
  );
  const what =
    partition === undefined
      ? text.outsidePartitions(stream, count)
      : text.beyondPartitions(stream, partition, count);
  const finding = { level: 'error', check: 'partitions', stream: name, what } as const;
  const todo = text.PARTITIONS_TODO;
  return unread.map(({ group }): Finding =>
    Object.assign({ todo }, finding, group === undefined ? undefined : { group }),
  );
}
