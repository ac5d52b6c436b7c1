import type { LedgerMaintenanceJob } from '../jobs/ledger-maintenance.job.js';
import type { ServerRedisStreams } from '../server/server-redis-streams.js';
import type { StreamsStats } from './streams-stats.js';

/** What the monitor has to know of the schedule. */
export interface Schedule {
  readonly isScheduled: boolean;
}

/**
 * Says what this app's server does.
 *
 * @example
 * ```ts
 * const { counts, inFlight } = app.get(StreamsMonitor).getStats();
 * ```
 */
export class StreamsMonitor {
  constructor(
    private readonly server: ServerRedisStreams,
    private readonly ledgerMaintenance: LedgerMaintenanceJob,
    private readonly schedule: Schedule,
  ) {}

  getStats(): StreamsStats {
    const { group, consumer, subscription } = this.server.options;
    const streams = this.server.subscriptions().map(({ stream }) => stream);
    return {
      group,
      consumer,
      streams,
      subscriptions: streams.length,
      dedupWindowMs: subscription.dedup === false ? false : subscription.dedup.windowMs,
      lastLedgerMaintenanceAt: this.ledgerMaintenance.lastRunAt,
      maintenanceScheduled: this.schedule.isScheduled,
      inFlight: this.server.inFlight,
      counts: { ...this.server.counts },
    };
  }
}
