import { Wakeup } from './wakeup.js';

/** The streams that have got room for more, so that readers need not ask each of them. */
export class Demand {
  private readonly raised = new Set<string>();
  private readonly news = new Wakeup();

  raise(streamKey: string): void {
    this.raised.add(streamKey);
    this.news.notify();
  }

  /** Resolves once some streams have room: their keys. */
  async next(): Promise<readonly string[]> {
    await this.news.next();
    const keys = [...this.raised];
    this.raised.clear();
    return keys;
  }
}
