import type { Gate } from '../quarantine.js';

/** The slots that the partitions of one stream share in a process: as many as `concurrency` gives. */
export class SharedSlots implements Gate {
  private taken = 0;
  /** Those that wait for a slot, in the order in which they asked. */
  private waiting: (() => void)[] = [];

  constructor(private readonly concurrency: number) {}

  isOpenFor(): boolean {
    return this.taken < this.concurrency;
  }

  opened(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  started(): void {
    this.taken++;
  }

  ended(): void {
    this.taken--;
    this.wakeNext();
  }

  /** Wakes one after the other while a slot is free: each has taken it, or does not need it, before the next one is asked. */
  private wakeNext(): void {
    if (this.taken >= this.concurrency) return;
    const wake = this.waiting.shift();
    if (wake === undefined) return;
    wake();
    // The one that was woken takes the slot in the next microtask.
    queueMicrotask(() => queueMicrotask(() => this.wakeNext()));
  }
}
