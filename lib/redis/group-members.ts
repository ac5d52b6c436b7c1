import type { Redis } from 'ioredis';
import { streamKeys } from '../keys/stream-keys.js';
import { type Member, membersScript } from './scripts/members.script.js';

/**
 * The members of a group, by what they say of themselves; none where nobody says anything: its consumers belong to another
 * program, all have closed, or nobody was there for long.
 *
 * @param stream as users name it: the members of a stream with partitions have one record for all of them
 */
export function readMembers(
  client: Redis,
  keyPrefix: string,
  stream: string,
  group: string,
): Promise<Member[]> {
  const { members, versions } = streamKeys(keyPrefix, stream, group);
  return membersScript.run(client, [members, versions], []);
}
