import type {
  ConsumerInspection,
  EntriesInspection,
  PartitionInspection,
} from './streams-inspection.js';

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
