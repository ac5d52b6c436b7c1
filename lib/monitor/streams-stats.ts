import type { DurationHistogram } from '../consume/histogram.js';

/** What {@link StreamsMonitor} says of this process. */
export interface StreamsStats {
  readonly group: string;
  readonly consumer: string;
  /** The version of this package. */
  readonly version: string;
  /** The streams that are read. */
  readonly streams: readonly string[];
  /** How many of them there are. */
  readonly subscriptions: number;
  /** The window of the server's `dedup`, in ms; `false` where it is off. */
  readonly dedupWindowMs: number | false;
  /** When this instance last maintained the ledgers; nothing before the first time. */
  readonly lastLedgerMaintenanceAt: Date | undefined;
  /** Whether the jobs are scheduled. */
  readonly maintenanceScheduled: boolean;
  /** How many messages are being handled now. */
  readonly inFlight: number;
  /** What became of messages since the server began to listen. */
  readonly counts: MessageCounts;
  /** How often a connection of the server was lost, or could not be made, since then. */
  readonly reconnects: number;
  /** Of the streams that have partitions: which of them this process has to itself. `inspect()` says who has the others. */
  readonly partitions: readonly PartitionsStats[];
  /** Each stream that was read since then. */
  readonly byStream: readonly StreamStats[];
  /** The jobs that are scheduled here. */
  readonly jobs: readonly JobStats[];
}

/** A stream's partitions, as this process knows them. */
export interface PartitionsStats {
  readonly stream: string;
  /** How many there are, by the option. */
  readonly count: number;
  /** Those that this process has to itself now. */
  readonly owned: readonly OwnedPartitionStats[];
}

/** A partition that this process has to itself. */
export interface OwnedPartitionStats {
  /** Its number, from 0. */
  readonly partition: number;
  /** Higher with each owner. Never lower than Redis's time when the owner took it, in ms. */
  readonly epoch: number;
}

/** What became of messages. */
export interface MessageCounts {
  /** All handlers succeeded. */
  readonly handled: number;
  /** A handler failed. */
  readonly failed: number;
  /** Of these: put off for another attempt. */
  readonly retried: number;
  /** Found in the ledger, and not run. */
  readonly duplicate: number;
  /** Made a dead letter. */
  readonly deadLettered: number;
  /** Wanted by no handler: acknowledged, or made a dead letter. */
  readonly unhandled: number;
  /** Requests that nobody waited for any longer: not run, or ended. */
  readonly abandoned: number;
  /** Deleted from the stream before they were handled. */
  readonly lost: number;
}

/** What this process did with one stream. */
export interface StreamStats {
  readonly stream: string;
  /** How many of its messages are with their handlers now. */
  readonly inFlight: number;
  readonly counts: MessageCounts;
  /** How long handlers ran, whatever they came to. */
  readonly handlerDuration: DurationHistogram;
  /** From publishing to the first attempt, by Redis's clock as it was known when the connection was made. */
  readonly publishToHandle: DurationHistogram;
}

/** A scheduled job in this process. */
export interface JobStats {
  /** Its name in the `SchedulerRegistry`. */
  readonly name: string;
  readonly everyMs: number;
  readonly scheduled: boolean;
  readonly running: boolean;
  /** When the schedule last ran it here to its end, by this host's clock; nothing before the first time. */
  readonly lastRunAt: Date | undefined;
  /** What that run removed: 0 also where another instance was at it, or it failed. */
  readonly lastRemoved: number | undefined;
  readonly lastDurationMs: number | undefined;
  /** Why that run failed; nothing where it did not. */
  readonly lastError: string | undefined;
}
