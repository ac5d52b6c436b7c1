import type { Redis } from 'ioredis';
import { InvalidRecordError } from '../../errors/redis.errors.js';
import { MOST_PARTITIONS, parsePartitionCount } from '../../wire/partitions.js';
import { partitionCountKey, type StreamKeys, streamKeys } from '../../wire/stream-keys.js';
import { notePartitionCountScript } from '../scripts/partition/note-partition-count.script.js';
import { type Member, readMembersScript } from '../scripts/admin/members.script.js';
import { isWrongType } from '../server/redis-errors.js';
import type { ConsumerInfo } from './xinfo.js';

const COUNT_ALLOWED = `a whole number from 1 to ${MOST_PARTITIONS}`;
const LONGEST_SHOWN = 40;

/**
 * How many partitions a stream has, as its readers recorded it. Undefined if none did.
 *
 * @throws InvalidRecordError if something else is recorded
 */
export async function readPartitionCount(
  client: Redis,
  keyPrefix: string,
  stream: string,
): Promise<number | undefined> {
  const key = partitionCountKey(keyPrefix, stream);
  let recorded: string | null;
  try {
    recorded = await client.get(key);
  } catch (error) {
    if (!isWrongType(error)) throw error;
    throw new InvalidRecordError(key, 'no string', COUNT_ALLOWED);
  }
  if (recorded === null) return undefined;
  const count = parsePartitionCount(recorded);
  if (count !== undefined) return count;
  const shown = JSON.stringify(recorded.slice(0, LONGEST_SHOWN));
  throw new InvalidRecordError(
    key,
    recorded.length > LONGEST_SHOWN ? `${shown}…` : shown,
    COUNT_ALLOWED,
  );
}

/**
 * Records how many partitions a reader of a stream expects, whatever was recorded before. These are two steps, so that a resent command gives the same
 * answer. Readers that start at the same time with different numbers are noticed at the next start.
 *
 * @returns what was recorded before; the error, if it was no number
 */
export async function notePartitionCount(
  client: Redis,
  keyPrefix: string,
  stream: string,
  count: number,
): Promise<number | undefined | InvalidRecordError> {
  const recorded = await readPartitionCount(client, keyPrefix, stream).catch((error: unknown) => {
    if (error instanceof InvalidRecordError) return error;
    throw error;
  });
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
