/** Counts what is handled, and says when it was enough. */
export class Countdown {
  readonly done: Promise<void>;
  private left: number;
  private end: () => void = () => undefined;

  constructor(many: number) {
    this.left = many;
    this.done = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  one(): void {
    this.left -= 1;
    if (this.left === 0) this.end();
  }
}
