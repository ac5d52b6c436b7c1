import type { DurationHistogram } from '../consume/tallies.js';

/** What {@link StreamsMonitor} reports about streams and groups in Redis, and about this process. Ages are by Redis's clock. */
export interface StreamsInspection {
  /** The time of the report, by Redis's clock; by this host's clock if nothing is subscribed to. */
  readonly at: Date;
  readonly server: InspectedServer;
  /** Each subscribed stream, with this app's group. */
  readonly streams: readonly StreamInspection[];
  readonly process: StreamsStats;
}

/** What Redis reports about itself; what this user may not read is left out. */
export interface InspectedServer {
  readonly product: 'Redis' | 'Valkey';
  readonly version: string | undefined;
  readonly role: 'primary' | 'replica' | undefined;
  /** What Redis does when its memory is full; anything but `noeviction` loses messages. */
  readonly maxmemoryPolicy: string | undefined;
}

/** A group of a stream. If the stream has `partitions`, the values are those of all partitions together. */
export interface StreamInspection extends EntriesInspection {
  readonly stream: string;
  readonly group: string;
  /**
   * How many members of the group report that they are alive; `undefined` if none reports anything, as is the case for consumers
   * of another program.
   */
  readonly membersAlive: number | undefined;
  /** Each partition, in order; `undefined` if the stream has none. */
  readonly partitions: readonly PartitionInspection[] | undefined;
}

/** A partition of a stream, and its owner. */
export interface PartitionInspection extends EntriesInspection {
  /** Its number, from 0. */
  readonly partition: number;
  /** The member of the group that owns it, if there is one. */
  readonly owner: OwnerInspection | undefined;
}

/** The owner of a partition: it alone reads the partition's messages. */
export interface OwnerInspection {
  readonly consumer: string;
  /** Increases with each owner. Never lower than the Redis time when the owner took the partition, in ms. */
  readonly epoch: number;
  /** How long the ownership lasts unless it is renewed, which happens about every second; 0 if it has ended. */
  readonly endsInMs: number;
}

/** The entries in Redis, and how far a group has got with them. */
export interface EntriesInspection {
  /** Whether the stream exists; at least one partition, if it has partitions. */
  readonly exists: boolean;
  /** Whether the group exists; in all partitions, if there are any. */
  readonly groupExists: boolean;
  /** How many entries the stream has. */
  readonly length: number;
  /** How old its first entry is; `undefined` if it is empty. */
  readonly firstEntryAgeMs: number | undefined;
  readonly lastEntryAgeMs: number | undefined;
  /** How many entries are not yet delivered to the group; `undefined` if Redis cannot know it. */
  readonly lag: number | undefined;
  /** How old the oldest entry is that is not yet delivered to the group. */
  readonly oldestUnreadAgeMs: number | undefined;
  /** How many entries were delivered to the group and are not finished. */
  readonly pending: number;
  /** How long ago the oldest of them was published. */
  readonly oldestPendingAgeMs: number | undefined;
  /** Messages that wait for their next attempt, or for the end of another entry's lease. */
  readonly retries: { readonly waiting: number; readonly nextDueInMs: number | undefined };
  readonly deadLetters: { readonly count: number; readonly oldestAgeMs: number | undefined };
  /** How many message IDs the ledger holds. */
  readonly ledgerSize: number;
  /**
   * How far the oldest unfinished entry of the group is from being removed by retention, or by a limit at publishing: from 1 (far)
   * to 0 (about to be). `undefined` if there is no limit or nothing unfinished, or if it cannot be known.
   */
  readonly retentionHeadroom: number | undefined;
  /** The members that are alive, and the other consumers that Redis lists. For a partition, those that Redis lists there. */
  readonly consumers: readonly ConsumerInspection[];
}

/** A consumer of a group. */
export interface ConsumerInspection {
  readonly name: string;
  /**
   * The time since its last read; before Redis 7.2, since its last read that returned entries. `undefined` if Redis does not list
   * it, which is no problem: older versions list a consumer only after a read that returned entries.
   */
  readonly idleMs: number | undefined;
  readonly pending: number;
  /**
   * Whether it reports that it is alive. Each member does every `recovery.intervalMs`, and counts as alive for four times that.
   * A consumer of another program does not. `undefined` if nobody in the group reports anything.
   */
  readonly isAlive: boolean | undefined;
  /** The version of this package that it runs, if it reports one. */
  readonly version: string | undefined;
}

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
  /** The streams (or partitions) that this process does not read now, since Redis refuses them, and why. */
  readonly setAside: readonly { readonly stream: string; readonly reason: string }[];
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
  /** How often a message was left pending, since Redis refused both to record what became of it and to write its dead letter. */
  readonly leftPending: number;
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

/** Combines the partitions of a stream: counts are added, ages are those of the oldest. */
export function combinePartitions(partitions: readonly PartitionInspection[]): EntriesInspection {
  const sum = (of: (partition: PartitionInspection) => number): number =>
    partitions.reduce((total, partition) => total + of(partition), 0);
  const known = (of: (partition: PartitionInspection) => number | undefined): number[] =>
    partitions.map(of).filter((value) => value !== undefined);
  const most = (of: (partition: PartitionInspection) => number | undefined): number | undefined =>
    known(of).reduce<number | undefined>((a = 0, b) => Math.max(a, b), undefined);
  const least = (of: (partition: PartitionInspection) => number | undefined): number | undefined =>
    known(of).reduce<number | undefined>((a = Infinity, b) => Math.min(a, b), undefined);
  const lags = known(({ lag }) => lag);
  return {
    exists: partitions.some(({ exists }) => exists),
    groupExists: partitions.every(({ groupExists }) => groupExists),
    length: sum(({ length }) => length),
    firstEntryAgeMs: most(({ firstEntryAgeMs }) => firstEntryAgeMs),
    lastEntryAgeMs: least(({ lastEntryAgeMs }) => lastEntryAgeMs),
    // If one is unknown, the sum of the others would be too low.
    lag: lags.length < partitions.length ? undefined : lags.reduce((a, b) => a + b, 0),
    oldestUnreadAgeMs: most(({ oldestUnreadAgeMs }) => oldestUnreadAgeMs),
    pending: sum(({ pending }) => pending),
    oldestPendingAgeMs: most(({ oldestPendingAgeMs }) => oldestPendingAgeMs),
    retries: {
      waiting: sum(({ retries }) => retries.waiting),
      nextDueInMs: least(({ retries }) => retries.nextDueInMs),
    },
    deadLetters: {
      count: sum(({ deadLetters }) => deadLetters.count),
      oldestAgeMs: most(({ deadLetters }) => deadLetters.oldestAgeMs),
    },
    ledgerSize: sum(({ ledgerSize }) => ledgerSize),
    retentionHeadroom: least(({ retentionHeadroom }) => retentionHeadroom),
    consumers: consumersOf(partitions),
  };
}

/** Each consumer once, with its pending entries in all partitions. */
function consumersOf(partitions: readonly PartitionInspection[]): ConsumerInspection[] {
  const byName = new Map<string, ConsumerInspection>();
  for (const consumer of partitions.flatMap(({ consumers }) => consumers)) {
    const other = byName.get(consumer.name) ?? { ...consumer, pending: 0 };
    const idleMs = Math.min(other.idleMs ?? Infinity, consumer.idleMs ?? Infinity);
    byName.set(consumer.name, { ...consumer, idleMs, pending: other.pending + consumer.pending });
  }
  return [...byName.values()];
}
