import type { Redis } from 'ioredis';
import { streamOfPartition } from '../../wire/partitions.js';
import { readMembers } from '../../redis/read/group-members.js';
import { isNotAllowed } from '../../redis/server/redis-errors.js';
import type { Member } from '../../redis/scripts/admin/read-members.script.js';

/**
 * The members of a group of a stream or a partition, by what they say of themselves; none where none says anything, or where
 * this user may not know.
 *
 * @param place as it is named in Redis, without the prefix
 */
export async function membersOf(
  client: Redis,
  prefix: string,
  place: string,
  group: string,
): Promise<Member[]> {
  // A stream of its own can have the name of a partition.
  const streams = [place, streamOfPartition(place)].filter((stream) => stream !== undefined);
  const records = await Promise.all(
    streams.map((stream) =>
      readMembers(client, prefix, stream, group).catch((error: unknown): Member[] => {
        if (isNotAllowed(error)) return [];
        throw error;
      }),
    ),
  );
  return records.find((members) => members.length > 0) ?? [];
}
