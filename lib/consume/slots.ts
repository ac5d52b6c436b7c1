import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { Gate, Quarantine } from './quarantine.js';
import { RunSignal } from './handlers/run.js';
import type { Message } from './message.js';
import { Pace, thisTurn } from './load.js';

type SlotOptions = Pick<ResolvedSubscription, 'concurrency' | 'batchSize' | 'handlerTimeoutMs'>;

/** The longest timer that Node has. */
export const LONGEST_TIMER_MS = 2_147_483_647;

class Run extends RunSignal {
  constructor(
    readonly startedAtMs: number,
    readonly turn: number,
  ) {
    super();
  }
}

/** A message that waits in its slot for its next attempt. `end` is set once its attempt is counted. */
interface Pause {
  timer?: NodeJS.Timeout;
  end?: (isOver: boolean) => void;
}

/**
 * What runs now and what waits for that, first in, first out, in as many slots as `concurrency` gives. It starts nothing by
 * itself: the pipeline asks for the next message.
 */
export class Slots {
  private ready: Message[] = [];
  private readonly running = new Map<Message, Run>();
  private readonly pausing = new Map<Message, Pause>();
  /** Messages that have paused and are not done: nothing else starts before them. */
  private readonly goFirst = new Set<Message>();
  private readonly pace = new Pace();
  private bytes = 0;
  private lastStart = { startedAtMs: 0, turn: 0 };
  private isStopped = false;
  private startsSoon = false;
  private whenEmptied: (() => void) | undefined;

  constructor(
    private readonly options: SlotOptions,
    private readonly quarantine: Quarantine,
    /** What else has a say in whether a handler may start: a partition's ownership, and the slots that partitions share. */
    private readonly gates: readonly Gate[] = [],
  ) {}

  /** How many messages wait for a slot. */
  get waiting(): number {
    return this.ready.length;
  }

  /** How many messages run, or wait in their slot for the next attempt. */
  get taken(): number {
    return this.running.size + this.pausing.size;
  }

  /** The bytes of the messages that run, or wait in their slot. */
  get takenBytes(): number {
    return this.bytes;
  }

  /** Whether handlers do not wait, so that all that is ready will have run before a read can answer. */
  get runsSynchronously(): boolean {
    if (this.isStopped || this.goFirst.size > 0) return false;
    if (!this.pace.runsSynchronously(this.options.concurrency)) return false;
    if (this.startsSoon) return true;
    return this.taken + this.ready.length === 0 || thisTurn() === this.lastStart.turn;
  }

  /** How many messages may wait, at the recent pace. */
  get readAheadLimit(): number {
    const { concurrency, batchSize } = this.options;
    const youngestMs =
      this.taken >= concurrency ? performance.now() - this.lastStart.startedAtMs : 0;
    return this.pace.readAhead(concurrency, batchSize, youngestMs);
  }

  /** All messages that run or wait. */
  all(): Message[] {
    return [...this.running.keys(), ...this.pausing.keys(), ...this.ready];
  }

  /**
   * @param moreComes whether more is being read or reserved. If handlers do not wait, they then start a turn of the event loop
   *   later, so that Redis gets its next commands first and works while they run
   * @returns whether to start now; a promise if in the next turn; undefined if that is arranged already
   */
  add(messages: readonly Message[], moreComes: boolean): 'now' | Promise<void> | undefined {
    const startsNextTurn = moreComes && this.running.size === 0 && this.runsSynchronously;
    this.ready.push(...messages);
    if (this.startsSoon) return undefined;
    if (!startsNextTurn) return 'now';
    this.startsSoon = true;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.startsSoon = false;
        resolve();
      });
    });
  }

  /** The message that starts next; undefined if none may start now. */
  get next(): Message | undefined {
    if (this.isStopped || this.running.size >= this.options.concurrency) return undefined;
    const message = this.ready[0];
    if (message === undefined) return undefined;
    return this.goFirst.size === 0 || this.goFirst.has(message) ? message : undefined;
  }

  /** What keeps a message from starting; undefined if nothing does. */
  closedGate(message: Message): Gate | undefined {
    for (const gate of this.gates) if (!gate.isOpenFor(message)) return gate;
    return this.quarantine.isOpenFor(message) ? undefined : this.quarantine;
  }

  /** Gives a slot to the message that is next. @param nowMs what `performance.now()` shows */
  start(message: Message, nowMs = performance.now()): RunSignal {
    const { handlerTimeoutMs } = this.options;
    const run = new Run(nowMs, thisTurn());
    this.ready.shift();
    this.running.set(message, run);
    this.bytes += message.bytes;
    this.lastStart = run;
    for (const gate of this.gates) gate.started(message, handlerTimeoutMs);
    this.quarantine.started(message, handlerTimeoutMs);
    return run;
  }

  /** @param endedAtMs when its handlers ended, by `performance.now()`; undefined if they did not start after all */
  end(message: Message, endedAtMs?: number): void {
    this.goFirst.delete(message);
    this.free(message, endedAtMs);
    this.noteIfEmpty();
  }

  /** Keeps a message that has just failed first in line for `delayMs` or longer: nothing of its stream starts before it. */
  hold(message: Message, delayMs: number, endedAtMs: number): void {
    message.dueAt = performance.now() + delayMs;
    this.pausing.set(message, {});
    this.bytes += message.bytes;
    this.goFirst.add(message);
    // If the next one waits to run alone, it has to let this one pass.
    if (this.ready[0] !== undefined) this.quarantine.forget(this.ready[0]);
    this.free(message, endedAtMs);
  }

  /** Resolves to whether the message may start again: after `delayMs`, or to `false` once it is taken out. */
  pause(message: Message, delayMs: number): Promise<boolean> {
    const pause = this.pausing.get(message);
    if (pause === undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      const endsAtMs = performance.now() + delayMs;
      const wait = (): void => {
        const leftMs = endsAtMs - performance.now();
        pause.timer = setTimeout(
          leftMs > LONGEST_TIMER_MS ? wait : end,
          Math.min(leftMs, LONGEST_TIMER_MS),
        );
      };
      const end = (): void => {
        this.endPause(message);
        this.ready.unshift(message);
        resolve(true);
      };
      pause.end = resolve;
      wait();
    });
  }

  /** Starts nothing more. */
  stop(): void {
    this.isStopped = true;
  }

  /** Takes out the messages that wait for a slot. */
  takeReady(): Message[] {
    const messages = this.ready;
    this.ready = [];
    for (const message of messages) this.leave(message);
    this.noteIfEmpty();
    return messages;
  }

  /** Takes out all messages that wait, for a slot or for their next attempt in theirs. */
  takeWaiting(): Message[] {
    const paused = [...this.pausing.keys()];
    for (const message of paused) this.leave(message);
    return [...paused, ...this.takeReady()];
  }

  /** @returns whether it waited */
  removeWaiting(message: Message): boolean {
    const at = this.ready.indexOf(message);
    if (at >= 0) this.ready.splice(at, 1);
    else if (!this.pausing.has(message)) return false;
    this.leave(message);
    this.noteIfEmpty();
    return true;
  }

  /** Tells the handler of one message, or of all, that it should end. */
  abort(reason: Error, message?: Message): void {
    if (message !== undefined) this.running.get(message)?.abort(reason);
    else for (const run of this.running.values()) run.abort(reason);
  }

  /** Resolves once nothing runs and nothing waits. */
  async emptied(): Promise<void> {
    if (this.taken + this.ready.length === 0) return;
    await new Promise<void>((resolve) => (this.whenEmptied = resolve));
  }

  private free(message: Message, endedAtMs?: number): void {
    const run = this.running.get(message);
    if (run === undefined) return;
    this.running.delete(message);
    this.bytes -= message.bytes;
    if (endedAtMs !== undefined) {
      this.pace.record(endedAtMs - run.startedAtMs, run.turn !== thisTurn());
    }
    this.quarantine.ended(message);
    for (const gate of this.gates) gate.ended(message);
  }

  private leave(message: Message): void {
    const pause = this.pausing.get(message);
    clearTimeout(pause?.timer);
    this.endPause(message);
    this.goFirst.delete(message);
    this.quarantine.forget(message);
    pause?.end?.(false);
  }

  private endPause(message: Message): void {
    if (this.pausing.delete(message)) this.bytes -= message.bytes;
  }

  private noteIfEmpty(): void {
    if (this.taken + this.ready.length === 0) this.whenEmptied?.();
  }
}
