/** What may remove entries of a stream, and what its group has not finished. */
export interface HeadroomFacts {
  readonly maxAgeMs: number | undefined;
  readonly maxLength: number | undefined;
  /** How many entries the stream has. */
  readonly length: number;
  /** Of the oldest entry that is not finished; nothing where all are. */
  readonly unfinishedAgeMs: number | undefined;
  /** Whether that is the stream's first entry. */
  readonly isFirst: boolean;
  readonly pending: number;
  readonly lag: number | undefined;
}

/** How far the oldest unfinished entry is from being removed: 1 far, 0 there; nothing where that cannot be said. */
export function retentionHeadroom(facts: HeadroomFacts): number | undefined {
  const { maxAgeMs, maxLength, unfinishedAgeMs } = facts;
  if (unfinishedAgeMs === undefined) return undefined;
  const shares: number[] = [];
  if (maxAgeMs !== undefined) shares.push(1 - unfinishedAgeMs / maxAgeMs);
  const behind = entriesBehind(facts);
  if (maxLength !== undefined && behind !== undefined) shares.push(1 - behind / maxLength);
  return shares.length === 0 ? undefined : Math.max(0, Math.min(...shares));
}

/** How many entries there are from the oldest unfinished one on; finished ones between those that are not are left out. */
function entriesBehind({ isFirst, length, pending, lag }: HeadroomFacts): number | undefined {
  if (isFirst) return length;
  return lag === undefined ? undefined : lag + pending;
}
