import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { elapsedMs } from './lease-clock.js';
import { isLeased } from './lease-id.js';
import { Pace } from './pace.js';
import { RunSignal } from './run-signal.js';
import type { Invoke, StreamMessage } from './stream-message.js';
import type { Verdict } from './verdict.js';

/** The part of a lease's life in which a handler may still be started under it. */
const LEASE_IS_SAFE = 0.8;

export interface HandlerSlotsParts {
  readonly stream: string;
  readonly options: ResolvedSubscription;
  readonly leaseMs: number;
  readonly invoke: Invoke;
  readonly onEnded: (message: StreamMessage, verdict: Verdict) => void;
  /** Given what waited so long that its leases may be over. */
  readonly onStale: (messages: readonly StreamMessage[]) => void;
}

/** Runs what is reserved, first in, first out, in as many slots as `concurrency` gives. */
export class HandlerSlots {
  private ready: StreamMessage[] = [];
  private readonly running = new Map<StreamMessage, RunSignal>();
  private readonly pace = new Pace();
  private lastStartAt = 0;
  private stopped = false;

  constructor(private readonly parts: HandlerSlotsParts) {}

  /** How many messages wait for a slot. */
  get waiting(): number {
    return this.ready.length;
  }

  /** How many messages are running. */
  get taken(): number {
    return this.running.size;
  }

  /** How many messages may wait, at the pace of late. */
  get mayWait(): number {
    const { concurrency, batchSize } = this.parts.options;
    const allTaken = this.running.size >= concurrency;
    const youngestMs = allTaken ? performance.now() - this.lastStartAt : 0;
    return this.pace.readAhead(concurrency, batchSize, youngestMs);
  }

  add(messages: readonly StreamMessage[]): void {
    this.ready.push(...messages);
    this.fill();
  }

  /** All messages that run or wait. */
  all(): StreamMessage[] {
    return [...this.running.keys(), ...this.ready];
  }

  /** Begins nothing more. */
  stop(): void {
    this.stopped = true;
  }

  /** Takes out what waits. */
  takeWaiting(): StreamMessage[] {
    const messages = this.ready;
    this.ready = [];
    return messages;
  }

  /** @returns whether it waited */
  removeWaiting(message: StreamMessage): boolean {
    const at = this.ready.indexOf(message);
    if (at >= 0) this.ready.splice(at, 1);
    return at >= 0;
  }

  /** Tells the handler of one message, or of all, that it should end. */
  abort(reason: Error, message?: StreamMessage): void {
    if (message !== undefined) this.running.get(message)?.abort(reason);
    else for (const signal of this.running.values()) signal.abort(reason);
  }

  private fill(): void {
    while (!this.stopped && this.running.size < this.parts.options.concurrency) {
      const [message] = this.ready;
      if (message === undefined) return;
      if (this.mayHaveEnded(message)) return this.parts.onStale(this.takeWaiting());
      this.ready.shift();
      void this.run(message);
    }
  }

  /** Whether its lease could be over by now, so that another consumer may have begun. */
  private mayHaveEnded(message: StreamMessage): boolean {
    const { options, leaseMs } = this.parts;
    const { leasedAt } = message;
    if (!isLeased(message, options) || options.delivery === 'at-most-once') return false;
    return leasedAt === undefined || elapsedMs(leasedAt) > LEASE_IS_SAFE * leaseMs;
  }

  private async run(message: StreamMessage): Promise<void> {
    const startedAt = performance.now();
    const signal = new RunSignal();
    this.running.set(message, signal);
    this.lastStartAt = startedAt;
    const verdict = await this.invokeInTime(message, signal);
    this.running.delete(message);
    this.pace.record(performance.now() - startedAt);
    this.fill();
    this.parts.onEnded(message, verdict);
  }

  /** A handler that ignores its signal does not hold its slot for ever: it is left to itself. */
  private async invokeInTime(message: StreamMessage, signal: RunSignal): Promise<Verdict> {
    const { stream, invoke, options } = this.parts;
    const { handlerTimeoutMs } = options;
    if (handlerTimeoutMs === undefined) return invoke(message, signal);
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<Verdict>((resolve) => {
      timer = setTimeout(() => {
        const error = new HandlerTimeoutError(stream, message.originalEntryId, handlerTimeoutMs);
        signal.abort(error);
        resolve({ kind: 'failed', error });
      }, handlerTimeoutMs);
    });
    try {
      return await Promise.race([invoke(message, signal), timeUp]);
    } finally {
      clearTimeout(timer);
    }
  }
}
