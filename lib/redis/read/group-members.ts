import type { Redis } from 'ioredis';
import { streamKeys } from '../../wire/stream-keys.js';
import { type Member, membersScript } from '../scripts/admin/members.script.js';
import type { ConsumerInfo } from './stream-info.js';

/** A consumer of a group, by what Redis knows of it and by what it says of itself. */
export interface GroupConsumer {
  readonly name: string;
  /** Nothing where Redis does not list it. */
  readonly idleMs: number | undefined;
  readonly pending: number;
  /** Nothing where no member of the group says anything. */
  readonly isAlive: boolean | undefined;
  readonly version: string | undefined;
}

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

/** The members that are alive. */
export const livingOf = (members: readonly Member[]): Member[] =>
  members.filter(({ isAlive }) => isAlive);

/** The consumers that Redis lists, with what the group's members say of themselves. */
export const withLives = (
  listed: readonly ConsumerInfo[],
  members: readonly Member[],
): GroupConsumer[] =>
  listed.map(({ name, idleMs, pending }) => {
    const its = members.find(({ consumer }) => consumer === name);
    const isAlive = members.length === 0 ? undefined : its?.isAlive === true;
    return { name, idleMs, pending, isAlive, version: its?.version };
  });

/** The living members that Redis does not list: before Redis 7.2 those that were not given anything yet. */
export const unlistedOf = (
  listed: readonly { readonly name: string }[],
  members: readonly Member[],
): GroupConsumer[] =>
  livingOf(members)
    .filter(({ consumer }) => !listed.some(({ name }) => name === consumer))
    .map(({ consumer, isAlive, version }) => ({
      name: consumer,
      idleMs: undefined,
      pending: 0,
      isAlive,
      version,
    }));
