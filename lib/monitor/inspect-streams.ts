import type { Redis } from 'ioredis';
import { partitionName } from '../wire/partitions.js';
import { streamKeys, ownerKey } from '../wire/stream-keys.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { compareEntryIds, publishedAtMs } from '../wire/ids.js';
import {
  livingMembers,
  readMembers,
  unlistedMembers,
  withMemberReports,
} from '../redis/read/group-members.js';
import { readOwner } from '../redis/read/partition-records.js';
import {
  type InspectedStream,
  inspectStreamScript,
} from '../redis/scripts/admin/inspect-stream.script.js';
import type { Member } from '../redis/scripts/admin/read-members.script.js';
import { askServerFacts } from '../redis/server/server-facts.js';
import { allTogether } from './partitions-together.js';
import { retentionHeadroom } from './retention-headroom.js';
import type {
  EntriesInspection,
  InspectedServer,
  PartitionInspection,
  StreamInspection,
} from './streams-inspection.js';

/** What removes entries of a stream, whichever way. */
export interface StreamLimitsKnown {
  readonly maxAgeMs: number | undefined;
  readonly maxLength: number | undefined;
}

export interface Inspected {
  readonly at: Date;
  readonly server: InspectedServer;
  readonly streams: readonly StreamInspection[];
}

type Where = Pick<ResolvedServerOptions, 'keyPrefix' | 'group' | 'partitions'>;

/** What was seen of a stream or a partition, and when by Redis's clock. */
interface Seen<Inspection> {
  readonly nowMs: number;
  readonly inspection: Inspection;
}

/** Asks for all streams at once: a script for each, or for each partition, and one for its members, sent together. */
export async function inspectStreams(
  client: Redis,
  where: Where,
  streams: readonly string[],
  limitsOf: (stream: string) => StreamLimitsKnown,
): Promise<Inspected> {
  const [{ product, version, role, maxmemoryPolicy }, ...seen] = await Promise.all([
    askServerFacts(client),
    ...streams.map((stream) => inspectStream(client, where, stream, limitsOf(stream))),
  ]);
  return {
    at: new Date(seen[0]?.nowMs ?? Date.now()),
    server: { product, version, role, maxmemoryPolicy },
    streams: seen.map(({ inspection }) => inspection),
  };
}

async function inspectStream(
  client: Redis,
  where: Where,
  stream: string,
  limits: StreamLimitsKnown,
): Promise<Seen<StreamInspection>> {
  const { group, keyPrefix } = where;
  const asked = readMembers(client, keyPrefix, stream, group);
  const [{ nowMs, its, partitions }, members] = await Promise.all([
    inspectPlaces(client, where, stream, limits, asked),
    asked,
  ]);
  const consumers = [...its.consumers, ...unlistedMembers(its.consumers, members)];
  const membersAlive = members.length === 0 ? undefined : livingMembers(members).length;
  return { nowMs, inspection: { stream, group, ...its, consumers, membersAlive, partitions } };
}

interface SeenPlaces {
  readonly nowMs: number;
  readonly its: EntriesInspection;
  readonly partitions: readonly PartitionInspection[] | undefined;
}

async function inspectPlaces(
  client: Redis,
  where: Where,
  stream: string,
  limits: StreamLimitsKnown,
  members: Promise<readonly Member[]>,
): Promise<SeenPlaces> {
  const count = where.partitions.get(stream);
  if (count === undefined) {
    const { nowMs, inspection } = await inspectEntries(client, where, stream, limits, members);
    return { nowMs, its: inspection, partitions: undefined };
  }
  const seen = await Promise.all(
    Array.from({ length: count }, (_, partition) =>
      inspectPartition(client, where, stream, partition, limits, members),
    ),
  );
  const partitions = seen.map(({ inspection }) => inspection);
  return { nowMs: seen[0]?.nowMs ?? Date.now(), its: allTogether(partitions), partitions };
}

async function inspectPartition(
  client: Redis,
  where: Where,
  stream: string,
  partition: number,
  limits: StreamLimitsKnown,
  members: Promise<readonly Member[]>,
): Promise<Seen<PartitionInspection>> {
  const [{ nowMs, inspection }, its] = await Promise.all([
    inspectEntries(client, where, partitionName(stream, partition), limits, members),
    readOwner(client, ownerKey(where.keyPrefix, stream, partition, where.group)),
  ]);
  const owner = its && {
    consumer: its.consumer,
    epoch: its.epoch,
    endsInMs: Math.max(0, its.endsAt - nowMs),
  };
  return { nowMs, inspection: { partition, owner, ...inspection } };
}

async function inspectEntries(
  client: Redis,
  { keyPrefix, group }: Where,
  name: string,
  limits: StreamLimitsKnown,
  members: Promise<readonly Member[]>,
): Promise<Seen<EntriesInspection>> {
  const its = streamKeys(keyPrefix, name, group);
  const keys = [its.stream, its.ledger, its.retries, its.deadLetters, its.packedLedger];
  const [seen, said] = await Promise.all([inspectStreamScript.run(client, keys, [group]), members]);
  return { nowMs: seen.nowMs, inspection: inspectionOf(seen, said, limits) };
}

function inspectionOf(
  its: InspectedStream,
  members: readonly Member[],
  limits: StreamLimitsKnown,
): EntriesInspection {
  const { exists, length, group, firstId, lastId, ledgerSize, nextRetryAtMs, nowMs } = its;
  const ageOf = (id: string): number | undefined =>
    id === '' ? undefined : Math.max(0, nowMs - publishedAtMs(id));
  const {
    pending = 0,
    lag,
    consumers = [],
    oldestPendingId = '',
    oldestUnreadId = '',
  } = group ?? {};
  const unfinishedId = lowerOf(oldestPendingId, oldestUnreadId);
  return {
    exists,
    groupExists: group !== undefined,
    length,
    firstEntryAgeMs: ageOf(firstId),
    lastEntryAgeMs: ageOf(lastId),
    lag,
    oldestUnreadAgeMs: ageOf(oldestUnreadId),
    pending,
    oldestPendingAgeMs: ageOf(oldestPendingId),
    retries: {
      waiting: its.retries,
      nextDueInMs: nextRetryAtMs === undefined ? undefined : Math.max(0, nextRetryAtMs - nowMs),
    },
    deadLetters: { count: its.deadLetters, oldestAgeMs: ageOf(its.oldestDeadLetterId) },
    ledgerSize,
    retentionHeadroom: retentionHeadroom({
      ...limits,
      length,
      pending,
      lag,
      unfinishedAgeMs: ageOf(unfinishedId),
      isFirst: unfinishedId === firstId,
    }),
    consumers: withMemberReports(consumers, members),
  };
}

/** The lower of two entry IDs, each of which can be empty for none. */
function lowerOf(a: string, b: string): string {
  if (a === '' || b === '') return a === '' ? b : a;
  return compareEntryIds(a, b) < 0 ? a : b;
}
