/** A member that is new, or was away, may not know of others that were away with it: it waits for them this long. */
const PATIENCE_MS = 2_500;

/** How long a member has announced itself without a break, and so which partitions it may take. */
export class Presence {
  private brokenAt: number | undefined;
  private lastAt: number | undefined;
  private readonly since = performance.now();
  /** Partitions that another member was seen to have since the break. */
  private readonly seenElsewhere = new Set<number>();

  /** @param lastsMs how long an announcement lasts */
  constructor(private readonly lastsMs: number) {}

  /**
   * @param wasListed whether Redis still listed this member when it announced itself
   * @param elsewhere the partitions that other members have announced
   */
  note(wasListed: boolean, elsewhere: Iterable<number>): void {
    const now = performance.now();
    if (this.lastAt !== undefined && (!wasListed || now - this.lastAt > this.lastsMs)) {
      this.brokenAt = now;
      this.seenElsewhere.clear();
    }
    this.lastAt = now;
    for (const partition of elsewhere) this.seenElsewhere.add(partition);
  }

  /**
   * Whether a partition that no member holds may be taken. After a break, others may not have announced themselves yet: then
   * only a partition that another member has held since the break is known to be given up.
   */
  mayTake(partition: number): boolean {
    return this.seesAll || this.seenElsewhere.has(partition);
  }

  /** Whether a partition may be taken whose ownership expired and was not released. */
  get isPatient(): boolean {
    return this.seesAll && performance.now() - this.since >= PATIENCE_MS;
  }

  private get seesAll(): boolean {
    return this.brokenAt === undefined || performance.now() - this.brokenAt >= PATIENCE_MS;
  }
}

/** What a member of a group has to do so that all members have equally many partitions. */
export interface Share {
  /** Partitions that it has beyond its share. */
  readonly surplus: readonly number[];
  /** Partitions that nobody has, and that it has to take. */
  readonly wanted: readonly number[];
}

/**
 * Shares partitions evenly, and moves as few of them as possible: whoever has more already has the larger share. Members that see
 * the same holdings get the same result.
 *
 * @param holdings the partitions that each member has announced, including `me`
 */
export function shareOf(
  me: string,
  holdings: ReadonlyMap<string, readonly number[]>,
  partitions: number,
): Share {
  // A member with another partition count may hold more.
  const held = (member: string): number[] =>
    (holdings.get(member) ?? []).filter((partition) => partition < partitions);
  const ranked = [...holdings.keys()].sort(
    (a, b) => held(b).length - held(a).length || (a < b ? -1 : 1),
  );
  const taken = new Set(ranked.flatMap((member) => held(member)));
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter(
    (partition) => !taken.has(partition),
  );
  const least = Math.floor(partitions / ranked.length);
  const larger = partitions % ranked.length;
  // Dealt out in turn, so that members that look at the same time do not ask for the same.
  let dealt = 0;
  for (const [rank, member] of ranked.entries()) {
    const target = least + (rank < larger ? 1 : 0);
    const its = held(member);
    const lacks = Math.max(0, target - its.length);
    if (member === me) {
      return { surplus: its.slice(target), wanted: free.slice(dealt, dealt + lacks) };
    }
    dealt += lacks;
  }
  return { surplus: [], wanted: [] };
}
