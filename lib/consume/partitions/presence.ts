/** A member that is new or was away may miss others that were away with it: it waits for them this long. */
const PATIENCE_MS = 2_500;

/** How long a member has been announcing itself without a break, and so which partitions it may take. */
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
   * @param elsewhere the partitions that other members say they have
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
   * Whether a partition that nobody says to have may be taken. After a break, others may not have announced themselves yet:
   * then only a partition that another member had since then is known to have been given up.
   */
  mayTake(partition: number): boolean {
    return this.seesAll || this.seenElsewhere.has(partition);
  }

  /** Whether a partition may be taken whose ownership expired instead of being released. */
  get isPatient(): boolean {
    return this.seesAll && performance.now() - this.since >= PATIENCE_MS;
  }

  private get seesAll(): boolean {
    return this.brokenAt === undefined || performance.now() - this.brokenAt >= PATIENCE_MS;
  }
}
