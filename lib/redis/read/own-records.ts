import type { Redis } from 'ioredis';
import { partitionCountKey, type StreamKeys, streamKeys } from '../../wire/stream-keys.js';
import { notePartitionCountScript } from '../scripts/partition/note-partition-count.script.js';
import { type Member, readMembersScript } from '../scripts/admin/read-members.script.js';
import type { ConsumerInfo } from './xinfo.js';

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

/** How many message IDs a ledger holds, including those that left the window and are not removed yet. */
export interface LedgerSize {
  readonly all: number;
  readonly packed: number;
}

export async function ledgerSize(
  client: Redis,
  { ledger, packedLedger }: Pick<StreamKeys, 'ledger' | 'packedLedger'>,
): Promise<LedgerSize> {
  const [newest, entries] = await Promise.all([
    client.zcard(ledger),
    client.hget(packedLedger, 'entries'),
  ]);
  const packed = Number(entries ?? 0);
  return { all: newest + packed, packed };
}

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
