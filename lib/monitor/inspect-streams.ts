import type { Redis } from 'ioredis';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import {
  livingMembers,
  readMembers,
  readOwner,
  unlistedMembers,
  withMemberReports,
} from '../redis/read/own-records.js';
import {
  type InspectedStream,
  inspectStreamScript,
} from '../redis/scripts/admin/inspect-stream.script.js';
import type { Member } from '../redis/scripts/admin/members.script.js';
import { askServerFacts } from '../redis/server/server-facts.js';
import { compareEntryIds, publishedAtMs } from '../wire/ids.js';
import { partitionName } from '../wire/partitions.js';
import { ownerKey, streamKeys } from '../wire/stream-keys.js';
import { retentionHeadroom, type StreamLimits } from './retention-headroom.js';
import {
  combinePartitions,
  type EntriesInspection,
  type InspectedServer,
  type PartitionInspection,
  type StreamInspection,
} from './streams-inspection.js';

/** What Redis reports about itself and the streams. */
export interface RedisInspection {
  readonly at: Date;
  readonly server: InspectedServer;
  readonly streams: readonly StreamInspection[];
}

type Where = Pick<ResolvedServerOptions, 'keyPrefix' | 'group' | 'partitions'>;

/** An inspection, and its time by Redis's clock. */
interface Timed<Inspection> {
  readonly nowMs: number;
  readonly inspection: Inspection;
}

/** Inspects all streams in one round trip: one script for each stream or partition, and one for its members, sent together. */
export async function inspectStreams(
  client: Redis,
  where: Where,
  streams: readonly string[],
  limitsOf: (stream: string) => StreamLimits,
): Promise<RedisInspection> {
  const [{ product, version, role, maxmemoryPolicy }, ...timed] = await Promise.all([
    askServerFacts(client),
    ...streams.map((stream) => inspectStream(client, where, stream, limitsOf(stream))),
  ]);
  return {
    at: new Date(timed[0]?.nowMs ?? Date.now()),
    server: { product, version, role, maxmemoryPolicy },
    streams: timed.map(({ inspection }) => inspection),
  };
}

async function inspectStream(
  client: Redis,
  where: Where,
  stream: string,
  limits: StreamLimits,
): Promise<Timed<StreamInspection>> {
  const { group, keyPrefix } = where;
  const reading = readMembers(client, keyPrefix, stream, group);
  const count = where.partitions.get(stream);
  const [{ nowMs, inspection, partitions }, members] = await Promise.all([
    count === undefined
      ? inspectWhole(client, where, stream, limits, reading)
      : inspectPartitions(client, where, stream, count, limits, reading),
    reading,
  ]);
  const consumers = [...inspection.consumers, ...unlistedMembers(inspection.consumers, members)];
  const membersAlive = members.length === 0 ? undefined : livingMembers(members).length;
  return {
    nowMs,
    inspection: { stream, group, ...inspection, consumers, membersAlive, partitions },
  };
}

interface TimedEntries extends Timed<EntriesInspection> {
  readonly partitions: readonly PartitionInspection[] | undefined;
}

async function inspectWhole(
  client: Redis,
  where: Where,
  stream: string,
  limits: StreamLimits,
  members: Promise<readonly Member[]>,
): Promise<TimedEntries> {
  const timed = await inspectEntries(client, where, stream, limits, members);
  return { ...timed, partitions: undefined };
}

async function inspectPartitions(
  client: Redis,
  where: Where,
  stream: string,
  count: number,
  limits: StreamLimits,
  members: Promise<readonly Member[]>,
): Promise<TimedEntries> {
  const timed = await Promise.all(
    Array.from({ length: count }, (_, partition) =>
      inspectPartition(client, where, stream, partition, limits, members),
    ),
  );
  const partitions = timed.map(({ inspection }) => inspection);
  const nowMs = timed[0]?.nowMs ?? Date.now();
  return { nowMs, inspection: combinePartitions(partitions), partitions };
}

async function inspectPartition(
  client: Redis,
  where: Where,
  stream: string,
  partition: number,
  limits: StreamLimits,
  members: Promise<readonly Member[]>,
): Promise<Timed<PartitionInspection>> {
  const [{ nowMs, inspection }, found] = await Promise.all([
    inspectEntries(client, where, partitionName(stream, partition), limits, members),
    readOwner(client, ownerKey(where.keyPrefix, stream, partition, where.group)),
  ]);
  const owner = found && {
    consumer: found.consumer,
    epoch: found.epoch,
    endsInMs: Math.max(0, found.endsAt - nowMs),
  };
  return { nowMs, inspection: { partition, owner, ...inspection } };
}

async function inspectEntries(
  client: Redis,
  { keyPrefix, group }: Where,
  name: string,
  limits: StreamLimits,
  members: Promise<readonly Member[]>,
): Promise<Timed<EntriesInspection>> {
  const keys = streamKeys(keyPrefix, name, group);
  const [stream, known] = await Promise.all([
    inspectStreamScript.run(
      client,
      [keys.stream, keys.ledger, keys.retries, keys.deadLetters, keys.packedLedger],
      [group],
    ),
    members,
  ]);
  return { nowMs: stream.nowMs, inspection: inspectionOf(stream, known, limits) };
}

function inspectionOf(
  inspected: InspectedStream,
  members: readonly Member[],
  limits: StreamLimits,
): EntriesInspection {
  const { exists, length, group, firstId, lastId, ledgerSize, nextRetryAtMs, nowMs } = inspected;
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
      waiting: inspected.retries,
      nextDueInMs: nextRetryAtMs === undefined ? undefined : Math.max(0, nextRetryAtMs - nowMs),
    },
    deadLetters: { count: inspected.deadLetters, oldestAgeMs: ageOf(inspected.oldestDeadLetterId) },
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

/** The lower of two entry IDs. An empty one means none. */
function lowerOf(a: string, b: string): string {
  if (a === '' || b === '') return a === '' ? b : a;
  return compareEntryIds(a, b) < 0 ? a : b;
}
