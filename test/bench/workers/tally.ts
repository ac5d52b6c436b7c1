/** Counts handled messages, and reports when there were enough. */
export class Tally {
  private counted = 0;
  private readonly waiting: { readonly many: number; readonly reached: () => void }[] = [];

  /** How many were counted. */
  get many(): number {
    return this.counted;
  }

  one(): void {
    this.counted += 1;
    while (this.waiting[0] !== undefined && this.counted >= this.waiting[0].many) {
      this.waiting.shift()?.reached();
    }
  }

  /** Resolves once this many were counted, in total. */
  async reached(many: number): Promise<void> {
    if (this.counted >= many) return;
    await new Promise<void>((resolve) => this.waiting.push({ many, reached: resolve }));
  }
}
