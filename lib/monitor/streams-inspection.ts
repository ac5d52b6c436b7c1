import type { StreamsStats } from './streams-stats.js';

/** What {@link StreamsMonitor} says of streams and groups in Redis, and of this process. Ages are by Redis's clock. */
export interface StreamsInspection {
  /** When it was, by Redis's clock; by that of this host where nothing is subscribed to. */
  readonly at: Date;
  readonly server: InspectedServer;
  /** Each stream that is subscribed to, with this app's group. */
  readonly streams: readonly StreamInspection[];
  readonly process: StreamsStats;
}

/** What Redis says of itself; what its user may not ask is left out. */
export interface InspectedServer {
  readonly product: 'Redis' | 'Valkey';
  readonly version: string | undefined;
  readonly role: 'primary' | 'replica' | undefined;
  /** What it does when its memory is full; anything but `noeviction` loses messages. */
  readonly maxmemoryPolicy: string | undefined;
}

/** A stream and a group of it. Of a stream with `partitions` it is what all of them have together. */
export interface StreamInspection extends EntriesInspection {
  readonly stream: string;
  readonly group: string;
  /**
   * How many members of the group say that they are alive; nothing where none says anything of itself, as consumers of
   * another program do.
   */
  readonly membersAlive: number | undefined;
  /** Each partition, in order; nothing where the stream has none. */
  readonly partitions: readonly PartitionInspection[] | undefined;
}

/** One partition of a stream, and who reads it. */
export interface PartitionInspection extends EntriesInspection {
  /** Its number, from 0. */
  readonly partition: number;
  /** The member of the group that has it to itself; nothing where none has. */
  readonly owner: OwnerInspection | undefined;
}

export interface OwnerInspection {
  readonly consumer: string;
  /** Higher with each owner. Never lower than Redis's time when the owner took it, in ms. */
  readonly epoch: number;
  /** How long it is its own unless that is renewed, which is done about each second; 0 where the time is over. */
  readonly endsInMs: number;
}

/** Entries in Redis, and how far a group is with them. */
export interface EntriesInspection {
  /** Whether the stream is there: some of it, where it has partitions. */
  readonly exists: boolean;
  /** Whether the group is there: in all partitions, where there are any. */
  readonly groupExists: boolean;
  /** How many entries the stream has. */
  readonly length: number;
  /** How old its first entry is; nothing where it has none. */
  readonly firstEntryAgeMs: number | undefined;
  readonly lastEntryAgeMs: number | undefined;
  /** How many entries the group was not given yet; nothing where Redis cannot know it. */
  readonly lag: number | undefined;
  /** How old the oldest entry is that the group was not given yet. */
  readonly oldestUnreadAgeMs: number | undefined;
  /** How many entries the group was given and has not finished. */
  readonly pending: number;
  /** How long ago the oldest of them was published. */
  readonly oldestPendingAgeMs: number | undefined;
  /** Messages that wait for a time: their next attempt, or a lease that another entry has. */
  readonly retries: { readonly waiting: number; readonly nextDueInMs: number | undefined };
  readonly deadLetters: { readonly count: number; readonly oldestAgeMs: number | undefined };
  /** How many message IDs the ledger holds. */
  readonly ledgerSize: number;
  /**
   * How far the oldest entry that the group has not finished is from what retention, or a limit at publishing, keeps: 1 is
   * far, 0 is there. Nothing where no limit is set, nothing is unfinished, or it cannot be known.
   */
  readonly retentionHeadroom: number | undefined;
  /** The members that are alive, and whatever other consumers Redis lists. Of a partition, those that Redis lists there. */
  readonly consumers: readonly ConsumerInspection[];
}

export interface ConsumerInspection {
  readonly name: string;
  /**
   * Since it last asked Redis for something; before Redis 7.2, since it was last given something. Nothing where Redis does
   * not list it, which is no fault: older versions list a consumer once it was given something.
   */
  readonly idleMs: number | undefined;
  readonly pending: number;
  /**
   * Whether it says that it is alive. Each member says so every `recovery.intervalMs`, and counts as alive for four times
   * that; a consumer of another program says nothing and does not. Nothing where nobody in the group says anything.
   */
  readonly isAlive: boolean | undefined;
  /** The version of this package that it runs; nothing where it does not say. */
  readonly version: string | undefined;
}
