import type { Redis } from 'ioredis';
import { streamKeys } from '../../wire/stream-keys.js';
import { type Member, readMembersScript } from '../scripts/admin/read-members.script.js';
import type { ConsumerInfo } from './xinfo.js';

/** A consumer of a group: what Redis lists, and what the member reports about itself. */
export interface GroupConsumer {
  readonly name: string;
  /** Undefined if Redis does not list it. */
  readonly idleMs: number | undefined;
  readonly pending: number;
  /** Undefined if no member of the group reports anything. */
  readonly isAlive: boolean | undefined;
  readonly version: string | undefined;
}

/**
 * The members of a group, as they report themselves. None if nobody reports: the consumers belong to another program, all have
 * closed, or nobody has run for a long time.
 *
 * @param stream as users name it: all partitions of a stream share one record
 */
export function readMembers(
  client: Redis,
  keyPrefix: string,
  stream: string,
  group: string,
): Promise<Member[]> {
  const { members, versions } = streamKeys(keyPrefix, stream, group);
  return readMembersScript.run(client, [members, versions], []);
}

export const livingMembers = (members: readonly Member[]): Member[] =>
  members.filter(({ isAlive }) => isAlive);

/** The consumers that Redis lists, with what the members report. */
export const withMemberReports = (
  listed: readonly ConsumerInfo[],
  members: readonly Member[],
): GroupConsumer[] =>
  listed.map(({ name, idleMs, pending }) => {
    const member = members.find(({ consumer }) => consumer === name);
    const isAlive = members.length === 0 ? undefined : member?.isAlive === true;
    return { name, idleMs, pending, isAlive, version: member?.version };
  });

/** Living members that Redis does not list: before Redis 7.2, those that have received no entry yet. */
export const unlistedMembers = (
  listed: readonly { readonly name: string }[],
  members: readonly Member[],
): GroupConsumer[] => {
  const names = new Set(listed.map(({ name }) => name));
  return livingMembers(members)
    .filter(({ consumer }) => !names.has(consumer))
    .map(({ consumer, isAlive, version }) => {
      return { name: consumer, idleMs: undefined, pending: 0, isAlive, version };
    });
};
