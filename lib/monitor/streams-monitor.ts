import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer } from '../consume/consumer.js';
import type { ConsumerCounts, ConsumerTallies, StreamTally } from '../consume/tallies.js';
import { NoAnswerError } from '../errors/redis.errors.js';
import type { LedgerMaintenanceJob } from '../jobs/ledger-maintenance.job.js';
import { ledgerWindowMs, type ResolvedServerOptions } from '../options/resolved-options.js';
import { PACKAGE_VERSION } from '../redis/server/package-version.js';
import { inspectStreams, type RedisInspection } from './inspect-streams.js';
import type { StreamLimits } from './retention-headroom.js';
import type {
  JobStats,
  PartitionsStats,
  StreamsInspection,
  StreamsStats,
  StreamStats,
} from './streams-inspection.js';

/** What the monitor reads from its app's server. */
interface MonitoredServer {
  readonly options: ResolvedServerOptions;
  readonly inFlight: number;
  readonly counts: ConsumerCounts;
  readonly tallies: ConsumerTallies | undefined;
  readonly consumer: Pick<Consumer, 'ownedPartitions' | 'refusedStreams'> | undefined;
  subscriptions(): readonly { readonly stream: string }[];
}

/** What the monitor reads from; the module provides it. */
export interface MonitorSources {
  readonly server: MonitoredServer;
  readonly ledgerMaintenance: LedgerMaintenanceJob;
  readonly schedule: { readonly isScheduled: boolean; readonly stats: readonly JobStats[] };
  /** A connection for commands, once it is ready. */
  readonly connection: () => Promise<Redis>;
  /** What removes entries of a stream. */
  readonly limitsOf: (stream: string) => StreamLimits;
}

/** How long Redis may take to answer, by default. */
const TIMEOUT_MS = 5_000;

/**
 * Reports what this app's server does, and the state of its streams and groups in Redis.
 *
 * @example
 * ```ts
 * const monitor = app.get(StreamsMonitor);
 * const { counts, inFlight } = monitor.getStats();
 * for (const { stream, lag, pending, deadLetters } of (await monitor.inspect()).streams) {
 *   console.log(stream, lag, pending, deadLetters.count);
 * }
 * ```
 */
export class StreamsMonitor {
  /** One at a time: if Redis is slow, inspections do not pile up. */
  private inspecting: Promise<RedisInspection> | undefined;

  constructor(private readonly sources: MonitorSources) {}

  /** @internal Whether an event is of this server. */
  isOf({ group, consumer }: { readonly group: string; readonly consumer: string }): boolean {
    const { options } = this.sources.server;
    return options.consumer === consumer && options.group === group;
  }

  /** What this process has done and is doing, without asking Redis. */
  getStats(): StreamsStats {
    const { server, ledgerMaintenance, schedule } = this.sources;
    const { group, consumer, subscription } = server.options;
    const streams = server.subscriptions().map(({ stream }) => stream);
    return {
      group,
      consumer,
      version: PACKAGE_VERSION,
      streams,
      subscriptions: streams.length,
      dedupWindowMs: ledgerWindowMs(subscription) || false,
      lastLedgerMaintenanceAt: ledgerMaintenance.lastRunAt,
      maintenanceScheduled: schedule.isScheduled,
      inFlight: server.inFlight,
      counts: { ...server.counts },
      reconnects: server.tallies?.reconnects ?? 0,
      setAside: server.consumer?.refusedStreams ?? [],
      partitions: partitionsOf(server, streams),
      byStream: (server.tallies?.all() ?? []).map((tally) => statsOf(tally)),
      jobs: schedule.stats,
    };
  }

  /**
   * Reads the state of this app's streams and groups from Redis, and adds what this process does. It takes one round trip,
   * however many streams there are (two if the user of Redis may not run `INFO`). A stream or group that does not exist is
   * reported as such.
   *
   * @param options.timeoutMs how long Redis may take to answer, 1 or more; 5 000 by default
   * @throws NoAnswerError if Redis does not answer in time, or cannot be reached
   */
  async inspect({
    timeoutMs = TIMEOUT_MS,
  }: { timeoutMs?: number } = {}): Promise<StreamsInspection> {
    this.inspecting ??= this.inspectRedis().finally(() => {
      this.inspecting = undefined;
    });
    const { inspecting } = this;
    const timeUp = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: timeUp.signal }).then(() => {
      throw new NoAnswerError(timeoutMs);
    });
    // The one that loses the race may reject when nobody listens any more.
    for (const either of [inspecting, late]) either.catch(() => undefined);
    try {
      return { ...(await Promise.race([inspecting, late])), process: this.getStats() };
    } finally {
      timeUp.abort();
    }
  }

  private async inspectRedis(): Promise<RedisInspection> {
    const { server, connection, limitsOf } = this.sources;
    const streams = server.subscriptions().map(({ stream }) => stream);
    return inspectStreams(await connection(), server.options, streams, limitsOf);
  }
}

function statsOf(tally: StreamTally): StreamStats {
  return {
    stream: tally.where.stream,
    inFlight: tally.inFlight,
    counts: { ...tally.counts },
    leftPending: tally.leftPending,
    handlerDuration: tally.handlerMs.snapshot(),
    publishToHandle: tally.publishToHandleMs.snapshot(),
  };
}

function partitionsOf(
  { options, consumer }: MonitoredServer,
  streams: string[],
): PartitionsStats[] {
  const owned = consumer?.ownedPartitions ?? [];
  return streams.flatMap((stream) => {
    const count = options.partitions.get(stream);
    if (count === undefined) return [];
    const ofStream = owned.filter((one) => one.stream === stream);
    return [
      { stream, count, owned: ofStream.map(({ partition, epoch }) => ({ partition, epoch })) },
    ];
  });
}
