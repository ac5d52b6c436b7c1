import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { NoAnswerError } from '../errors/redis.errors.js';
import type { Consumer } from '../consume/consumer.js';
import type { ConsumerCounts, ConsumerTallies } from '../consume/tallies.js';
import type { LedgerMaintenanceJob } from '../jobs/ledger-maintenance.job.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { PACKAGE_VERSION } from '../redis/server/package-version.js';
import { type Inspected, inspectStreams, type StreamLimitsKnown } from './inspect-streams.js';
import { partitionStatsOf, streamStatsOf } from './stream-stats.js';
import type { StreamsInspection } from './streams-inspection.js';
import type { JobStats, StreamsStats } from './streams-stats.js';

/** What the monitor has to know of the schedule. */
interface Schedule {
  readonly isScheduled: boolean;
  readonly stats: readonly JobStats[];
}

/** What the monitor asks its app's server for. */
interface MonitoredServer {
  readonly options: ResolvedServerOptions;
  readonly inFlight: number;
  readonly counts: ConsumerCounts;
  readonly tallies: ConsumerTallies | undefined;
  readonly consumer: Pick<Consumer, 'ownedPartitions'> | undefined;
  subscriptions(): readonly { readonly stream: string }[];
}

/** What the monitor looks at; the module puts it together. */
export interface StreamsMonitorParts {
  readonly server: MonitoredServer;
  readonly ledgerMaintenance: LedgerMaintenanceJob;
  readonly schedule: Schedule;
  /** A connection for commands, once it is ready. */
  readonly connection: () => Promise<Redis>;
  /** What removes entries of a stream. */
  readonly limitsOf: (stream: string) => StreamLimitsKnown;
}

/** How long Redis may take for an answer unless the caller says otherwise. */
const TIMEOUT_MS = 5_000;

/**
 * Says what this app's server does, and how its streams and groups are in Redis.
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
  /** One at a time: where Redis is slow, questions do not pile up. */
  private asking: Promise<Inspected> | undefined;

  constructor(private readonly parts: StreamsMonitorParts) {}

  /** @internal By this name its server's events are known. */
  get consumer(): string {
    return this.parts.server.options.consumer;
  }

  /** What this process did and does, without asking Redis. */
  getStats(): StreamsStats {
    const { server, ledgerMaintenance, schedule } = this.parts;
    const { group, consumer, subscription } = server.options;
    const streams = server.subscriptions().map(({ stream }) => stream);
    return {
      group,
      consumer,
      version: PACKAGE_VERSION,
      streams,
      subscriptions: streams.length,
      dedupWindowMs: subscription.dedup === false ? false : subscription.dedup.windowMs,
      lastLedgerMaintenanceAt: ledgerMaintenance.lastRunAt,
      maintenanceScheduled: schedule.isScheduled,
      inFlight: server.inFlight,
      counts: { ...server.counts },
      reconnects: server.tallies?.reconnects ?? 0,
      partitions: partitionStatsOf(
        server.options.partitions,
        streams,
        server.consumer?.ownedPartitions ?? [],
      ),
      byStream: (server.tallies?.all() ?? []).map((tally) => streamStatsOf(tally)),
      jobs: schedule.stats,
    };
  }

  /**
   * Asks Redis how the streams and groups of this app are, and says what this process does beside it. One round trip,
   * however many streams there are (two where the user of Redis may not ask for `INFO`). A stream or group that is not there
   * is said to be so.
   *
   * @param options.timeoutMs how long Redis may take for it, 1 or more; 5 000 unless given
   * @throws NoAnswerError where Redis does not answer in time, or cannot be reached
   */
  async inspect({
    timeoutMs = TIMEOUT_MS,
  }: { timeoutMs?: number } = {}): Promise<StreamsInspection> {
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    const { asking } = this;
    const timeUp = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: timeUp.signal }).then(() => {
      throw new NoAnswerError(timeoutMs);
    });
    // Whichever is not the first to end has nobody to tell.
    for (const either of [asking, late]) either.catch(() => undefined);
    try {
      return { ...(await Promise.race([asking, late])), process: this.getStats() };
    } finally {
      timeUp.abort();
    }
  }

  private async ask(): Promise<Inspected> {
    const { server, connection, limitsOf } = this.parts;
    const streams = server.subscriptions().map(({ stream }) => stream);
    return inspectStreams(await connection(), server.options, streams, limitsOf);
  }
}
