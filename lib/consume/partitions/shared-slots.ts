/** The slots that the partitions of one stream have together in a process: as many as `concurrency` gives. */
export class SharedSlots {
  private taken = 0;
  /** Called once it is worth asking again, in the order in which they asked. */
  private readonly waiting = new Set<() => void>();

  constructor(private readonly concurrency: number) {}

  /** Whether one is free; where not, `again` is called when one may be. */
  isFree(again: () => void): boolean {
    if (this.taken < this.concurrency) return true;
    this.waiting.add(again);
    return false;
  }

  take(): void {
    this.taken++;
  }

  giveBack(): void {
    this.taken--;
    for (const again of this.waiting) {
      if (this.taken >= this.concurrency) return;
      this.waiting.delete(again);
      again();
    }
  }
}
