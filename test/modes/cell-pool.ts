/** Runs what tests wait for, so many at a time, in the order given. */
export class CellPool {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(private readonly atOnce: number) {}

  /** Says what it comes to; nobody has to be waiting for it yet. */
  add<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => {
      this.waiting.push(() => {
        this.running++;
        run()
          .then(resolve, reject)
          .finally(() => {
            this.running--;
            this.next();
          });
      });
    });
    result.catch(() => undefined);
    this.next();
    return result;
  }

  private next(): void {
    if (this.running < this.atOnce) this.waiting.shift()?.();
  }
}
