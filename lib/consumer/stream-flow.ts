import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { Codec } from '../codec/codec.js';
import { ConnectionClosedError } from '../errors/connection-closed.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { compareEntryIds } from '../redis/entry-id.js';
import { errorText } from '../redis/redis-errors.js';
import type { RawEntry } from '../redis/replies.js';
import type { ConsumerCounts } from './consumer-counts.js';
import * as text from './consumer.messages.js';
import { EntryDecoder } from './entry-decoder.js';
import { FaultLog } from './fault-log.js';
import { HandlerSlots } from './handler-slots.js';
import { leaseClock } from './lease-clock.js';
import { persist } from './persist.js';
import { Reserver } from './reserver.js';
import { Settler } from './settler.js';
import type { Invoke, Outcome, StreamMessage } from './stream-message.js';

export interface StreamFlowParts {
  /** The stream's name, as handlers have it. */
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly options: ResolvedSubscription;
  readonly group: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly client: Redis;
  readonly codec: Codec;
  readonly invoke: Invoke;
  readonly counts: ConsumerCounts;
  readonly logger: LoggerService;
  /** Told when there is room again for what this stream brings. */
  readonly onRoom: (flow: StreamFlow) => void;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
}

/** Lua takes about 8 000 values as arguments of one call, and a script may need two for each entry. */
const MOST_AT_ONCE = 1_000;

/**
 * The way of one stream's entries through this consumer: decode, reserve, handle, settle, with as many running and
 * read ahead as its options and its pace allow.
 */
export class StreamFlow {
  /** Entries that were read and are not settled: nobody may bring them a second time. */
  private readonly inFlight = new Set<string>();
  /** How many were read, and are not reserved yet. */
  private entering = 0;
  private intake = Promise.resolve();
  private stopped = false;
  private readonly slots: HandlerSlots;
  private readonly settler: Settler;
  private readonly reserver: Reserver;
  private readonly decoder: EntryDecoder;
  private readonly faults: FaultLog;
  private onIdle: (() => void) | undefined;
  /** The highest entry ID that was read, where any was. */
  highestId = '';

  constructor(private readonly parts: StreamFlowParts) {
    this.faults = new FaultLog(parts.logger);
    this.decoder = new EntryDecoder(parts);
    this.reserver = new Reserver(parts);
    this.slots = new HandlerSlots({
      ...parts,
      onEnded: (message, outcome) => this.settle(message, outcome),
      onStale: (messages) => this.intoReservation(messages),
    });
    this.settler = new Settler({
      ...parts,
      onFault: (what, error) => this.sayFault(what, error),
      onDone: () => this.faults.over(),
      onSettled: (messages) => {
        this.forget(messages);
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
    if (messages.length > 0) this.intoReservation(messages);
  }

  /** The messages whose leases are to be kept. */
  held(): StreamMessage[] {
    return this.parts.options.dedup === false ? [] : this.slots.all();
  }

  /** Another consumer has the message, or may have it: what did not start is left to it, what runs is told. */
  leaseLost(message: StreamMessage): void {
    this.slots.abort(new LeaseLostError(this.parts.stream, message.entryId), message);
    // At-most-once has acknowledged it: nobody else will have it.
    if (this.parts.options.delivery === 'at-most-once') return;
    if (this.slots.removeWaiting(message)) this.forget([message]);
  }

  /**
   * Begins nothing more. Fulfilled once nothing runs; what did not start goes to the group at once. At-most-once
   * goes on with what it has acknowledged already.
   */
  async drain(): Promise<void> {
    this.stopped = this.parts.options.delivery === 'at-least-once';
    if (this.stopped) this.slots.stop();
    await this.intake;
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
    return this.slots.waiting + this.entering;
  }

  private get isIdle(): boolean {
    return this.slots.taken + this.slots.waiting === 0;
  }

  private intoReservation(messages: readonly StreamMessage[]): void {
    this.entering += messages.length;
    this.intake = this.intake.then(() => this.reserve(messages));
  }

  private async reserve(messages: readonly StreamMessage[]): Promise<void> {
    const { signal, counts } = this.parts;
    const sentAt = leaseClock();
    let ours: readonly StreamMessage[] = [];
    try {
      const answers = await persist(
        () => this.reserver.reserve(messages),
        signal,
        (error) => this.sayFault('reserve', error),
      );
      this.faults.over();
      ours = messages.filter((_, index) => answers[index] === 'new');
      counts.duplicate += answers.filter((answer) => answer === 'duplicate').length;
      this.forget(messages.filter((_, index) => answers[index] !== 'new'));
    } catch {
      // Closed meanwhile: they are pending, and another run of this consumer or its group will have them.
      this.forget(messages);
    }
    this.entering -= messages.length;
    for (const message of ours) message.leasedAt = sentAt;
    this.slots.add(ours);
    this.offerRoom();
  }

  private settle(message: StreamMessage, outcome: Outcome): void {
    this.parts.counts[outcome]++;
    if (outcome === 'handled') this.settler.commit(message);
    else this.settler.release(message);
    this.offerRoom();
    if (this.slots.taken > 0) return;
    // Nothing runs that could be settled together with it.
    if (this.readAhead === 0) this.settler.flush();
    if (this.stopped || this.isIdle) this.onIdle?.();
  }

  private handOverWaiting(): void {
    for (const message of this.slots.takeWaiting()) this.settler.handOver(message);
  }

  private forget(messages: readonly StreamMessage[]): void {
    for (const { entryId } of messages) this.inFlight.delete(entryId);
  }

  private offerRoom(): void {
    if (this.wantsRead) this.parts.onRoom(this);
  }

  private sayFault(what: string, error: unknown): void {
    this.faults.say(text.stepFailed(what, this.parts.stream, errorText(error)));
  }
}
