import type { Redis } from 'ioredis';
import { streamKeys } from '../keys/stream-keys.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { compareEntryIds, publishedAtMs } from '../redis/entry-id.js';
import {
  type InspectedStream,
  inspectStreamScript,
} from '../redis/scripts/inspect-stream.script.js';
import { askServerFacts } from '../redis/server-facts.js';
import { retentionHeadroom } from './retention-headroom.js';
import type { InspectedServer, StreamInspection } from './streams-inspection.js';

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

/** Asks for all streams at once: one script each, sent together. */
export async function inspectStreams(
  client: Redis,
  { keyPrefix, group }: Pick<ResolvedServerOptions, 'keyPrefix' | 'group'>,
  streams: readonly string[],
  limitsOf: (stream: string) => StreamLimitsKnown,
): Promise<Inspected> {
  const [{ product, version, role, maxmemoryPolicy }, ...inspected] = await Promise.all([
    askServerFacts(client),
    ...streams.map((stream) => {
      const keys = streamKeys(keyPrefix, stream, group);
      const its = [keys.stream, keys.ledger, keys.retries, keys.deadLetters, keys.packedLedger];
      return inspectStreamScript.run(client, its, [group]);
    }),
  ]);
  return {
    at: new Date(inspected[0]?.nowMs ?? Date.now()),
    server: { product, version, role, maxmemoryPolicy },
    streams: inspected.map((its, index) => {
      const stream = streams[index] ?? '';
      return inspectionOf({ stream, group }, its, limitsOf(stream));
    }),
  };
}

function inspectionOf(
  where: Pick<StreamInspection, 'stream' | 'group'>,
  its: InspectedStream,
  limits: StreamLimitsKnown,
): StreamInspection {
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
    ...where,
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
    consumers,
  };
}

/** The lower of two entry IDs, each of which can be empty for none. */
function lowerOf(a: string, b: string): string {
  if (a === '' || b === '') return a === '' ? b : a;
  return compareEntryIds(a, b) < 0 ? a : b;
}
