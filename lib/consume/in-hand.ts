/** The rows of what this consumer has read of a stream and not settled. No source may bring one of them again. */
export class InHand {
  private readonly rows = new Set<string>();

  get size(): number {
    return this.rows.size;
  }

  has(rowId: string): boolean {
    return this.rows.has(rowId);
  }

  add(rowId: string): void {
    this.rows.add(rowId);
  }

  remove(rowId: string): void {
    this.rows.delete(rowId);
  }

  /** What is in hand now: an answer that is on its way may still list what is settled meanwhile. */
  snapshot(): ReadonlySet<string> {
    return new Set(this.rows);
  }
}
