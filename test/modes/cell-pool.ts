/** Runs tasks that tests wait for, a limited number at a time, in the given order. */
export class CellPool {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(private readonly atOnce: number) {}

  /** Returns the result; nobody has to be waiting for it yet. */
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
