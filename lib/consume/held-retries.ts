import type { StreamMessage } from './stream-message.js';

/** Messages that wait for their next attempt in their slots, and let nothing pass them (`retry.blocking`). */
export class HeldRetries {
  private readonly timers = new Map<StreamMessage, NodeJS.Timeout | undefined>();

  get size(): number {
    return this.timers.size;
  }

  all(): Iterable<StreamMessage> {
    return this.timers.keys();
  }

  /** Holds it until `wait` was called for it and its time is over, or it is taken out. */
  hold(message: StreamMessage): void {
    this.timers.set(message, undefined);
  }

  /** @param then called after `delayMs`, unless it was taken out */
  wait(message: StreamMessage, delayMs: number, then: () => void): void {
    if (!this.timers.has(message)) return;
    this.timers.set(
      message,
      setTimeout(() => {
        this.timers.delete(message);
        then();
      }, delayMs),
    );
  }

  /** @returns whether it was held */
  remove(message: StreamMessage): boolean {
    clearTimeout(this.timers.get(message));
    return this.timers.delete(message);
  }

  takeAll(): StreamMessage[] {
    const messages = [...this.timers.keys()];
    for (const message of messages) this.remove(message);
    return messages;
  }
}
