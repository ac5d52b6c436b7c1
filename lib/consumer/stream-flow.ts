import { ConnectionClosedError } from '../errors/connection-closed.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { compareEntryIds } from '../redis/entry-id.js';
import { errorText } from '../redis/redis-errors.js';
import type { RawEntry } from '../redis/replies.js';
import * as text from './consumer.messages.js';
import { EntryDecoder } from './entry-decoder.js';
import { FaultLog } from './fault-log.js';
import { HandlerSlots } from './handler-slots.js';
import { Intake } from './intake.js';
import { Outcomes } from './outcomes.js';
import type { Reservation } from '../redis/scripts/reserve.script.js';
import { Reserver } from './reserver.js';
import { Settler } from './settler.js';
import type { StreamFlowParts } from './stream-flow.parts.js';
import type { StreamMessage } from './stream-message.js';
import type { Verdict } from './verdict.js';

/** Lua takes about 8 000 arguments in one call, and a script may need two for each entry. */
const MOST_AT_ONCE = 1_000;

/**
 * The way of one stream's entries through this consumer: decode, reserve, handle, settle, with as many running and
 * read ahead as its options and its pace allow.
 */
export class StreamFlow {
  /** Entries that were read and are not settled: nobody may bring them a second time. */
  private readonly inFlight = new Set<string>();
  private stopped = false;
  private readonly slots: HandlerSlots;
  private readonly settler: Settler;
  private readonly intake: Intake;
  private readonly outcomes: Outcomes;
  private readonly decoder: EntryDecoder;
  private readonly faults: FaultLog;
  private onIdle: (() => void) | undefined;
  /** The highest entry ID that was read, where any was. */
  highestId = '';

  constructor(private readonly parts: StreamFlowParts) {
    this.faults = new FaultLog(parts.logger);
    this.outcomes = new Outcomes({ ...parts, settler: () => this.settler });
    this.decoder = new EntryDecoder({
      ...parts,
      onUndecodable: (entry, reason, error) => {
        this.inFlight.add(entry.id);
        this.outcomes.undecodable(entry, reason, error);
      },
    });
    this.intake = new Intake({
      reserver: new Reserver(parts),
      signal: parts.signal,
      onFault: this.sayFault,
      onDone: () => this.faults.over(),
      onAnswers: (messages, answers) => this.takeOurs(messages, answers),
    });
    this.slots = new HandlerSlots({
      ...parts,
      onEnded: (message, verdict) => this.settle(message, verdict),
      onStale: (messages) => this.intake.add(messages),
    });
    this.settler = new Settler({
      ...parts,
      onFault: this.sayFault,
      onDone: () => this.faults.over(),
      onSettled: (entryIds) => {
        for (const entryId of entryIds) this.inFlight.delete(entryId);
        this.offerRoom();
      },
    });
  }

  get stream(): string {
    return this.parts.stream;
  }

  get keys(): StreamKeys {
    return this.parts.keys;
  }

  get options(): ResolvedSubscription {
    return this.parts.options;
  }

  /** How many messages are running. */
  get runningCount(): number {
    return this.slots.taken;
  }

  /** How many entries may be brought now. */
  get room(): number {
    if (this.stopped) return 0;
    const { concurrency, batchSize } = this.parts.options;
    const held = this.slots.taken + this.readAhead;
    // Nothing waits in memory for a Redis that does not take outcomes.
    if (this.inFlight.size - held > 2 * batchSize + concurrency) return 0;
    return Math.max(0, Math.min(MOST_AT_ONCE, concurrency + this.slots.mayWait - held));
  }

  /**
   * Whether a read is worth its round trip: not one for each message that ends, but once half of what may be read
   * ahead has been used up.
   */
  get wantsRead(): boolean {
    const free = this.parts.options.concurrency - this.slots.taken;
    const few = Math.max(free - 1, Math.floor(this.slots.mayWait / 2));
    return this.readAhead <= few && this.room > 0;
  }

  /** Takes entries in: new ones, or ones of before, in the order in which they are to run. */
  accept(entries: readonly RawEntry[]): void {
    const messages: StreamMessage[] = [];
    for (const entry of entries) {
      if (this.inFlight.has(entry.id)) continue;
      if (this.highestId === '' || compareEntryIds(entry.id, this.highestId) > 0) {
        this.highestId = entry.id;
      }
      const message = this.decoder.decode(entry);
      if (message === undefined) continue;
      this.inFlight.add(entry.id);
      messages.push(message);
    }
    if (messages.length > 0) this.intake.add(messages);
  }

  /** The entries that were read and are not settled, now. */
  entriesInFlight(): ReadonlySet<string> {
    return new Set(this.inFlight);
  }

  /** The messages whose leases are to be kept. */
  held(): StreamMessage[] {
    // At-most-once without ledger has neither a lease nor a pending entry.
    const { dedup, delivery } = this.parts.options;
    return dedup === false && delivery === 'at-most-once' ? [] : this.slots.all();
  }

  /** Another consumer has the message, or may have it: what did not start is left to it, what runs is told. */
  leaseLost(message: StreamMessage): void {
    this.slots.abort(new LeaseLostError(this.parts.stream, message.entryId), message);
    // At-most-once has acknowledged it: nobody else will have it.
    if (this.parts.options.delivery === 'at-most-once') return;
    if (this.slots.removeWaiting(message)) this.forget(message);
  }

  /** Begins nothing more; at-most-once goes on with what it has acknowledged already. */
  stop(): void {
    if (this.parts.options.delivery === 'at-most-once') return;
    this.stopped = true;
    this.slots.stop();
  }

  /**
   * Stops. Fulfilled once nothing runs; what did not start goes to the group at once.
   */
  async drain(): Promise<void> {
    this.stop();
    await this.intake.done();
    if (this.stopped) this.handOverWaiting();
    if (!this.isIdle) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
    }
    this.stopped = true;
    await this.settler.drained();
  }

  /** Time is up: tells running handlers, and gives up what did not start. */
  async giveUp(): Promise<void> {
    const { stream, group, logger, counts, options } = this.parts;
    this.stopped = true;
    this.slots.stop();
    this.slots.abort(new ConnectionClosedError('a handler'));
    if (options.delivery === 'at-most-once') {
      for (const message of this.slots.takeWaiting()) {
        counts.lost++;
        logger.error(text.lostOnClose(stream, group, message.entryId));
        this.settler.release(message);
      }
    }
    this.handOverWaiting();
    if (this.slots.taken > 0) logger.warn(text.stillRunning(stream, this.slots.taken));
    await this.settler.drained();
  }

  private get readAhead(): number {
    return this.slots.waiting + this.intake.entering;
  }

  private get isIdle(): boolean {
    return this.slots.taken + this.slots.waiting === 0;
  }

  /** Runs what is ours; what is not is counted and forgotten, and what used up its attempts in crashes given up. */
  private takeOurs(
    messages: readonly StreamMessage[],
    answers: readonly Reservation[] | undefined,
  ): void {
    const ours = messages.filter((message, index) => {
      const kind = answers?.[index]?.kind;
      if (kind === 'duplicate') this.parts.counts.duplicate++;
      if (kind !== 'new') this.forget(message);
      else if (this.outcomes.isUsedUp(message)) this.outcomes.giveUp(message);
      else return true;
      return false;
    });
    this.slots.add(ours);
    this.offerRoom();
  }

  private settle(message: StreamMessage, verdict: Verdict): void {
    this.outcomes.record(message, verdict, this.stopped);
    this.offerRoom();
    if (this.slots.taken > 0) return;
    // Nothing runs that could be settled together with it.
    if (this.readAhead === 0) this.settler.flush();
    if (this.stopped || this.isIdle) this.onIdle?.();
  }

  private handOverWaiting(): void {
    for (const message of this.slots.takeWaiting()) this.settler.handOver(message);
  }

  private forget({ entryId }: StreamMessage): void {
    this.inFlight.delete(entryId);
  }

  private offerRoom(): void {
    if (this.wantsRead) this.parts.onRoom(this.parts.keys.stream);
  }

  private readonly sayFault = (what: string, error: unknown): void =>
    this.faults.say(text.stepFailed(what, this.parts.stream, errorText(error)));
}
