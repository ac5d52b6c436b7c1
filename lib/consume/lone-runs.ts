import type { StreamMessage } from './stream-message.js';

/**
 * Lets a message that came back from runs without an end start while nothing else runs in this process: if it takes the
 * process down again, nobody else is harmed. Everything that starts here asks first.
 */
export class LoneRuns {
  private running = 0;
  /** The message that has the process to itself, or waits until it has. */
  private lone: StreamMessage | undefined;
  private mayGo = false;
  private timer: NodeJS.Timeout | undefined;
  /** Called once it is worth asking again. */
  private readonly waiting = new Set<() => void>();

  /** @param patienceMs how long to wait for others to end, and by default how long others wait for the message */
  constructor(private readonly patienceMs: number) {}

  /** Whether `message` may start now; where not, `again` is called when that may have changed. */
  mayStart(message: StreamMessage, again: () => void): boolean {
    if (this.lone === undefined && !message.alone) return true;
    if (this.lone === undefined) {
      this.lone = message;
      this.mayGo = this.running === 0;
      // A run beside it that takes long must not hold up everything.
      if (!this.mayGo) this.after(this.patienceMs, () => this.letGo());
    }
    if (this.lone === message && this.mayGo) return true;
    this.waiting.add(again);
    return false;
  }

  started(message: StreamMessage, handlerTimeoutMs: number | undefined): void {
    this.running++;
    if (this.lone !== message) return;
    this.after(handlerTimeoutMs ?? this.patienceMs, () => this.forget(message));
  }

  ended(message: StreamMessage): void {
    this.running--;
    if (this.lone === message) this.forget(message);
    else if (this.lone !== undefined && this.running === 0) this.letGo();
  }

  /** The message does not start here after all, or has had its time alone. */
  forget(message: StreamMessage): void {
    if (this.lone !== message) return;
    clearTimeout(this.timer);
    this.lone = undefined;
    this.mayGo = false;
    this.wake();
  }

  private letGo(): void {
    clearTimeout(this.timer);
    this.mayGo = true;
    this.wake();
  }

  private after(ms: number, act: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, ms);
    // It guards others' turn; a process that has nothing else to do may end.
    this.timer.unref();
  }

  private wake(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const again of waiting) again();
  }
}
