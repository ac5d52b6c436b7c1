import type {
  ConsumerInspection,
  EntriesInspection,
  PartitionInspection,
} from './streams-inspection.js';

/** What the partitions of a stream have together: counts are sums, ages those of the oldest. */
export function allTogether(partitions: readonly PartitionInspection[]): EntriesInspection {
  const sum = (of: (its: PartitionInspection) => number): number =>
    partitions.reduce((total, its) => total + of(its), 0);
  const known = (of: (its: PartitionInspection) => number | undefined): number[] =>
    partitions.map(of).filter((value) => value !== undefined);
  const most = (of: (its: PartitionInspection) => number | undefined): number | undefined =>
    known(of).reduce<number | undefined>((a = 0, b) => Math.max(a, b), undefined);
  const least = (of: (its: PartitionInspection) => number | undefined): number | undefined =>
    known(of).reduce<number | undefined>((a = Infinity, b) => Math.min(a, b), undefined);
  const lags = known(({ lag }) => lag);
  return {
    exists: partitions.some(({ exists }) => exists),
    groupExists: partitions.every(({ groupExists }) => groupExists),
    length: sum(({ length }) => length),
    firstEntryAgeMs: most(({ firstEntryAgeMs }) => firstEntryAgeMs),
    lastEntryAgeMs: least(({ lastEntryAgeMs }) => lastEntryAgeMs),
    // A sum without one of them would say less than there is.
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

/** Each once, with what it has in all partitions. */
function consumersOf(partitions: readonly PartitionInspection[]): ConsumerInspection[] {
  const byName = new Map<string, ConsumerInspection>();
  for (const its of partitions.flatMap(({ consumers }) => consumers)) {
    const other = byName.get(its.name) ?? { ...its, pending: 0 };
    const idleMs = Math.min(other.idleMs ?? Infinity, its.idleMs ?? Infinity);
    byName.set(its.name, { ...its, idleMs, pending: other.pending + its.pending });
  }
  return [...byName.values()];
}
