import type { Message } from './message.js';
import { Wakeup } from './waiting.js';

/** Something that may keep messages from starting. */
export interface Gate {
  isOpenFor(message: Message): boolean;
  /** Resolves when it is worth asking again. */
  opened(): Promise<void>;
  started(message: Message, handlerTimeoutMs: number | undefined): void;
  ended(message: Message): void;
  /** Whoever was told that it is open has started what it could: what was kept for it goes to others. */
  endOffer(): void;
}

/**
 * Lets a message that came back from unfinished runs start only while nothing else runs in this process: if it takes the
 * process down again, nobody else is harmed. All streams of a process share it.
 */
export class Quarantine implements Gate {
  private running = 0;
  /** The message that has the process to itself, or waits until it has. */
  private alone: Message | undefined;
  private mayStart = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly changed = new Wakeup();

  /** @param patienceMs how long to wait for others to end, and by default how long others wait for the message */
  constructor(private readonly patienceMs: number) {}

  isOpenFor(message: Message): boolean {
    if (this.alone === undefined && !message.runsAlone) return true;
    if (this.alone === undefined) {
      this.alone = message;
      this.mayStart = this.running === 0;
      // A long run beside it must not hold up everything.
      if (!this.mayStart) this.after(this.patienceMs, () => this.release());
    }
    return this.alone === message && this.mayStart;
  }

  opened(): Promise<void> {
    return this.changed.next();
  }

  endOffer(): void {}

  started(message: Message, handlerTimeoutMs: number | undefined): void {
    this.running++;
    if (this.alone !== message) return;
    this.after(handlerTimeoutMs ?? this.patienceMs, () => this.forget(message));
  }

  ended(message: Message): void {
    this.running--;
    if (this.alone === message) this.forget(message);
    else if (this.alone !== undefined && this.running === 0) this.release();
  }

  /** The message does not start here after all, or has had its time alone. */
  forget(message: Message): void {
    if (this.alone !== message) return;
    clearTimeout(this.timer);
    this.alone = undefined;
    this.mayStart = false;
    this.changed.notify();
  }

  private release(): void {
    clearTimeout(this.timer);
    this.mayStart = true;
    this.changed.notify();
  }

  private after(ms: number, act: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, ms);
    // It only guards the others' turn: a process that has nothing else to do may end.
    this.timer.unref();
  }
}
