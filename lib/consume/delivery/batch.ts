/** Items that wait to be sent in one script. All of them share the promise of its answer. */
export class Batch<Item> {
  readonly items: Item[] = [];
  readonly sent: Promise<unknown>;
  resolve: (answer: unknown) => void = () => undefined;

  constructor() {
    this.sent = new Promise((resolve) => (this.resolve = resolve));
  }

  get size(): number {
    return this.items.length;
  }
}
