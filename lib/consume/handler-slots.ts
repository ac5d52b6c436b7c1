import { isRedrive } from '../wire/entry-id.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { thisTurn } from './event-loop-turn.js';
import { HeldRetries } from './held-retries.js';
import { elapsedMs } from '../redis/server/clocks.js';
import { invokeInTime } from './handlers/invoke-in-time.js';
import { isLeased } from './lease-id.js';
import type { LoneRuns } from './lone-runs.js';
import { Pace } from './pace.js';
import { retryOf } from './handlers/request-runs.js';
import { RunSignal } from './handlers/run-signal.js';
import type { Invoke, StreamMessage } from './stream-message.js';
import type { StreamTally } from './stream-tally.js';
import type { Verdict } from './verdict.js';

/** The part of a lease's life in which a handler may still be started under it. */
const LEASE_IS_SAFE = 0.8;

/** What else has a say in whether a handler may start; all of it is asked of a partition only. */
export interface Admission {
  /** Whether one may start now; where not, `again` is called when that may have changed. */
  mayStart(again: () => void): boolean;
  started(): void;
  ended(): void;
}

export interface HandlerSlotsParts {
  readonly stream: string;
  readonly options: ResolvedSubscription;
  readonly leaseMs: number;
  readonly invoke: Invoke;
  readonly loneRuns: LoneRuns;
  /** Of a partition. It is owned, so that no lease has to be looked at. */
  readonly admission?: Admission;
  readonly tally: StreamTally;
  /** Notes in Redis that a message starts alone. `false`: it may not start here any more. */
  readonly announceAlone: (message: StreamMessage) => Promise<boolean>;
  /** Takes away the dead letter of a redrive that starts at-most-once. `false`: it may not start here any more. */
  readonly startRedrive: (message: StreamMessage) => Promise<boolean>;
  readonly onEnded: (message: StreamMessage, verdict: Verdict) => void;
  /** Fulfilled once all that ended is recorded. */
  readonly whenSettled: () => Promise<void>;
  /** Whether more is being read or reserved: what is there of it in this turn is sent on before handlers start. */
  readonly moreComes: () => boolean;
  /** Given what waited so long that its leases may be over. */
  readonly onStale: (messages: readonly StreamMessage[]) => void;
  /** Given what was about to start when another consumer had it, or all was stopped. */
  readonly onNotStarted: (message: StreamMessage) => void;
}

/** Runs what is reserved, first in, first out, in as many slots as `concurrency` gives. */
export class HandlerSlots {
  private ready: StreamMessage[] = [];
  private readonly running = new Map<StreamMessage, RunSignal>();
  private readonly held = new HeldRetries();
  /** What was held once and is not through: nothing else starts before it. */
  private readonly unfinished = new Set<StreamMessage>();
  private readonly pace = new Pace();
  private lastStartAt = 0;
  private lastStartIn = 0;
  private stopped = false;
  /** Whether what waits begins in this turn of the event loop, once all that has come in it was taken in. */
  private startsSoon = false;

  constructor(private readonly parts: HandlerSlotsParts) {}

  /** How many messages wait for a slot. */
  get waiting(): number {
    return this.ready.length;
  }

  /** How many messages are running, or hold their slot until their next attempt. */
  get taken(): number {
    return this.running.size + this.held.size;
  }

  /** Whether what waits will have ended before anything that is asked for now can be there. */
  get passes(): boolean {
    if (this.stopped || this.unfinished.size > 0) return false;
    if (!this.pace.runsAtOnce(this.parts.options.concurrency)) return false;
    if (this.startsSoon) return true;
    return this.taken + this.ready.length === 0 || thisTurn() === this.lastStartIn;
  }

  /** How many messages may wait, at the pace of late. */
  get mayWait(): number {
    const { concurrency, batchSize } = this.parts.options;
    const allTaken = this.taken >= concurrency;
    const youngestMs = allTaken ? performance.now() - this.lastStartAt : 0;
    return this.pace.readAhead(concurrency, batchSize, youngestMs);
  }

  add(messages: readonly StreamMessage[]): void {
    // What is to be read and reserved meanwhile is sent first, so that Redis has work while these run.
    const startSoon = this.parts.moreComes() && this.running.size === 0 && this.passes;
    this.ready.push(...messages);
    if (this.startsSoon) return;
    if (!startSoon) return this.fill();
    this.startsSoon = true;
    setImmediate(() => {
      this.startsSoon = false;
      this.fill();
    });
  }

  /** All messages that run or wait. */
  all(): StreamMessage[] {
    return [...this.running.keys(), ...this.held.all(), ...this.ready];
  }

  /** Keeps a message that has just failed in its slot for `delayMs` or longer; nothing of its stream starts before it. */
  hold(message: StreamMessage, delayMs: number): void {
    message.dueAt = performance.now() + delayMs;
    this.held.hold(message);
    this.unfinished.add(message);
  }

  /** Runs a message that is held once `delayMs` are over. */
  runLater(message: StreamMessage, delayMs: number): void {
    this.held.wait(message, delayMs, () => {
      this.ready.unshift(message);
      this.fill();
    });
  }

  /** Begins nothing more. */
  stop(): void {
    this.stopped = true;
  }

  /** Takes out what waits. */
  takeWaiting(): StreamMessage[] {
    const messages = [...this.held.takeAll(), ...this.ready];
    this.ready = [];
    for (const message of messages) this.leave(message);
    return messages;
  }

  /** @returns whether it waited */
  removeWaiting(message: StreamMessage): boolean {
    const at = this.ready.indexOf(message);
    if (at >= 0) this.ready.splice(at, 1);
    const waited = this.held.remove(message) || at >= 0;
    if (waited) {
      this.leave(message);
      this.fill();
    }
    return waited;
  }

  /** Tells the handler of one message, or of all, that it should end. */
  abort(reason: Error, message?: StreamMessage): void {
    if (message !== undefined) this.running.get(message)?.abort(reason);
    else for (const signal of this.running.values()) signal.abort(reason);
  }

  private readonly fill = (): void => this.fillAt(performance.now());

  /** @param shownMs what `performance.now()` shows */
  private fillAt(shownMs: number): void {
    const { options, loneRuns, admission } = this.parts;
    let justShownMs: number | undefined = shownMs;
    while (!this.stopped && this.running.size < options.concurrency) {
      const message = this.ready[0];
      if (message === undefined) return;
      if (this.unfinished.size > 0 && !this.unfinished.has(message)) return;
      if (admission?.mayStart(this.fill) === false) return;
      const nowMs: number = justShownMs ?? performance.now();
      justShownMs = undefined;
      if (this.mayHaveEnded(message, nowMs)) return this.parts.onStale(this.takeWaiting());
      if (!loneRuns.mayStart(message, this.fill)) return;
      this.ready.shift();
      void this.run(message, nowMs);
    }
  }

  /** It is not to run here, or not now. */
  private leave(message: StreamMessage): void {
    this.unfinished.delete(message);
    this.parts.loneRuns.forget(message);
  }

  /** Whether its lease could be over by now, so that another consumer may have begun. */
  private mayHaveEnded(message: StreamMessage, nowMs: number): boolean {
    const { options, leaseMs, admission } = this.parts;
    const { leasedAt } = message;
    if (admission !== undefined) return false;
    if (!isLeased(message, options) || options.delivery === 'at-most-once') return false;
    return leasedAt === undefined || elapsedMs(leasedAt, nowMs) > LEASE_IS_SAFE * leaseMs;
  }

  private async run(message: StreamMessage, startedAt: number): Promise<void> {
    const { options, loneRuns, onEnded, tally, admission } = this.parts;
    const signal = new RunSignal();
    this.running.set(message, signal);
    this.lastStartAt = startedAt;
    admission?.started();
    const turn = thisTurn();
    this.lastStartIn = turn;
    loneRuns.started(message, options.handlerTimeoutMs);
    const isOnce = options.delivery === 'at-most-once' && isRedrive(message.entryId);
    if (isOnce) {
      if (!(await this.parts.startRedrive(message))) return this.doNotStart(message);
      // From then on it has to run, whatever is stopped meanwhile.
      message.startedOnce = true;
    }
    if (message.alone && !(await this.mayStartAlone(message))) return this.doNotStart(message);
    tally.started(message, startedAt);
    const verdict = await (tally.isTraced
      ? tally.traced(message, () => invokeInTime(this.parts, message, signal))
      : invokeInTime(this.parts, message, signal));
    this.running.delete(message);
    this.unfinished.delete(message);
    const endedAt = performance.now();
    const ranMs = endedAt - startedAt;
    tally.ran(message, verdict, ranMs);
    this.pace.record(ranMs, turn !== thisTurn());
    // Where it may have to wait in its slot, that is decided before the next one starts.
    const decidesFirst = retryOf(options, message).blocking || message.alone;
    if (decidesFirst) onEnded(message, verdict);
    // The next one may be what killed the process: by then it has to be known that this one was not.
    if (message.alone) await this.parts.whenSettled();
    loneRuns.ended(message);
    admission?.ended();
    this.fillAt(decidesFirst ? performance.now() : endedAt);
    if (!decidesFirst) onEnded(message, verdict);
  }

  private async mayStartAlone(message: StreamMessage): Promise<boolean> {
    return (await this.parts.announceAlone(message)) && !this.stopped;
  }

  private doNotStart(message: StreamMessage): void {
    this.running.delete(message);
    this.unfinished.delete(message);
    this.parts.loneRuns.ended(message);
    this.parts.admission?.ended();
    this.fill();
    this.parts.onNotStarted(message);
  }
}
