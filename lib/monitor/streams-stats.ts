import type { DurationHistogram } from '../consume/tallies.js';

/** What {@link StreamsMonitor} reports about this process. */
export interface StreamsStats {
  readonly group: string;
  readonly consumer: string;
  /** The version of this package. */
  readonly version: string;
  /** The subscribed streams. */
  readonly streams: readonly string[];
  /** How many streams are subscribed to. */
  readonly subscriptions: number;
  /** The window of the server's `dedup`, in ms; `false` if it is off. */
  readonly dedupWindowMs: number | false;
  /** When this instance last maintained the ledgers, if it has. */
  readonly lastLedgerMaintenanceAt: Date | undefined;
  /** Whether the jobs are scheduled. */
  readonly maintenanceScheduled: boolean;
  /** How many messages are being handled now. */
  readonly inFlight: number;
  /** The outcomes of messages since the server began to listen. */
  readonly counts: MessageCounts;
  /** How often a connection of the server was lost, or could not be opened, since then. */
  readonly reconnects: number;
  /** For streams with partitions: which ones this process owns. `inspect()` reports the owners of the others. */
  readonly partitions: readonly PartitionsStats[];
  /** Each stream that was read since then. */
  readonly byStream: readonly StreamStats[];
  /** The jobs that are scheduled in this process. */
  readonly jobs: readonly JobStats[];
}

/** A stream's partitions, as this process knows them. */
export interface PartitionsStats {
  readonly stream: string;
  /** How many there are, by the option. */
  readonly count: number;
  /** Those that this process owns now. */
  readonly owned: readonly OwnedPartitionStats[];
}

/** A partition that this process owns. */
export interface OwnedPartitionStats {
  /** Its number, from 0. */
  readonly partition: number;
  /** Increases with each owner. Never lower than the Redis time when the owner took the partition, in ms. */
  readonly epoch: number;
}

/** The outcomes of messages. */
export interface MessageCounts {
  /** All handlers succeeded. */
  readonly handled: number;
  /** A handler failed. */
  readonly failed: number;
  /** Failed, and waiting for another attempt. */
  readonly retried: number;
  /** Found in the ledger, and not run. */
  readonly duplicate: number;
  /** Became a dead letter. */
  readonly deadLettered: number;
  /** Matched no handler: acknowledged, or became a dead letter. */
  readonly unhandled: number;
  /** Requests whose requester no longer waited: not run, or aborted. */
  readonly abandoned: number;
  /** Deleted from the stream before they were handled. */
  readonly lost: number;
}

/** What this process did with one stream. */
export interface StreamStats {
  readonly stream: string;
  /** How many of its messages are being handled now. */
  readonly inFlight: number;
  readonly counts: MessageCounts;
  /** How long handlers ran, whether they succeeded or failed. */
  readonly handlerDuration: DurationHistogram;
  /** Time from publishing to the first attempt, by Redis's clock as it was when the connection was opened. */
  readonly publishToHandle: DurationHistogram;
}

/** A scheduled job in this process. */
export interface JobStats {
  /** Its name in the `SchedulerRegistry`. */
  readonly name: string;
  readonly everyMs: number;
  readonly scheduled: boolean;
  readonly running: boolean;
  /** When its last scheduled run in this process ended, by this host's clock. */
  readonly lastRunAt: Date | undefined;
  /** What that run removed: 0 also if another instance was running it, or if it failed. */
  readonly lastRemoved: number | undefined;
  readonly lastDurationMs: number | undefined;
  /** Why that run failed, if it did. */
  readonly lastError: string | undefined;
}
