import type { StreamsStats } from './streams-stats.js';

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
