import type { Redis } from 'ioredis';
import type { LoggerService } from '@nestjs/common';
import type { Codec } from '../codec/codec.js';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { compareEntryIds } from '../redis/entry-id.js';
import { errorText } from '../redis/redis-errors.js';
import type { RawEntry } from '../redis/replies.js';
import type { ConsumerCounts } from './consumer-counts.js';
import * as text from './consumer.messages.js';
import { EntryDecoder } from './entry-decoder.js';
import { FaultLog } from './fault-log.js';
import { Pace } from './pace.js';
import { persist } from './persist.js';
import { Reserver } from './reserver.js';
import { Settler } from './settler.js';
import type { Invoke, StreamMessage } from './stream-message.js';

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

/**
 * The way of one stream's entries through this consumer: decode, reserve, handle, settle, with as many running and
 * read ahead as its options and its pace allow.
 */
export class StreamFlow {
  /** Entries that were read and are not settled: nobody may bring them a second time. */
  private readonly inFlight = new Set<string>();
  private readonly running = new Set<StreamMessage>();
  private lastStartAt = 0;
  private ready: StreamMessage[] = [];
  /** Read, and not reserved yet. */
  private entering = 0;
  private intake = Promise.resolve();
  private stopped = false;
  private readonly abort = new AbortController();
  private readonly pace = new Pace();
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
    this.settler = new Settler({
      ...parts,
      onFault: (what, error) => this.sayFault(what, error),
      onDone: () => this.faults.over(),
      onSettled: (messages) => {
        for (const { entryId } of messages) this.inFlight.delete(entryId);
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
    return this.running.size;
  }

  /** How many entries may be brought now. */
  get room(): number {
    if (this.stopped) return 0;
    const { concurrency } = this.parts.options;
    const held = this.running.size + this.readAhead;
    // Nothing waits in memory for a Redis that does not take outcomes.
    if (this.inFlight.size - held > 2 * this.parts.options.batchSize + concurrency) return 0;
    return Math.max(0, concurrency + this.mayReadAhead() - held);
  }

  /**
   * Whether a read is worth its round trip: not one for each message that ends, but once half of what may be read
   * ahead has been used up.
   */
  get wantsRead(): boolean {
    const free = this.parts.options.concurrency - this.running.size;
    return (
      this.readAhead <= Math.max(free - 1, Math.floor(this.mayReadAhead() / 2)) && this.room > 0
    );
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
    if (messages.length === 0) return;
    this.entering += messages.length;
    this.intake = this.intake.then(() => this.enter(messages));
  }

  /**
   * Begins nothing more. Fulfilled once nothing runs; what did not start goes to the group at once. At-most-once
   * goes on with what it has acknowledged already.
   */
  async drain(): Promise<void> {
    this.stopped = this.parts.options.delivery === 'at-least-once';
    await this.intake;
    if (this.stopped) this.handOverReady();
    if (this.running.size + this.ready.length > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
    }
    this.stopped = true;
    await this.settler.drained();
  }

  /** Time is up: tells running handlers, and gives up what did not start. */
  async giveUp(): Promise<void> {
    this.stopped = true;
    this.abort.abort();
    const { stream, group, logger, counts, options } = this.parts;
    if (options.delivery === 'at-most-once') {
      for (const message of this.ready) {
        counts.lost++;
        logger.error(text.lostOnClose(stream, group, message.entryId));
        this.settler.release(message);
      }
      this.ready = [];
    }
    this.handOverReady();
    if (this.running.size > 0) logger.warn(text.stillRunning(stream, this.running.size));
    await this.settler.drained();
  }

  private get readAhead(): number {
    return this.ready.length + this.entering;
  }

  private mayReadAhead(): number {
    const { concurrency, batchSize } = this.parts.options;
    const allTaken = this.running.size >= concurrency;
    const youngestMs = allTaken ? performance.now() - this.lastStartAt : 0;
    return this.pace.readAhead(concurrency, batchSize, youngestMs);
  }

  private async enter(messages: readonly StreamMessage[]): Promise<void> {
    try {
      const reservations = await persist(
        () => this.reserver.reserve(messages),
        this.parts.signal,
        (error) => this.sayFault('reserve', error),
      );
      this.faults.over();
      messages.forEach((message, index) => {
        if (reservations[index] === 'new') {
          this.ready.push(message);
        } else {
          if (reservations[index] === 'duplicate') this.parts.counts.duplicate++;
          this.inFlight.delete(message.entryId);
        }
      });
    } catch {
      // Closed meanwhile: they are pending, and another run of this consumer or its group will have them.
      for (const { entryId } of messages) this.inFlight.delete(entryId);
    } finally {
      this.entering -= messages.length;
    }
    this.pump();
    this.offerRoom();
  }

  private pump(): void {
    while (!this.stopped && this.running.size < this.parts.options.concurrency) {
      const message = this.ready.shift();
      if (message === undefined) return;
      void this.run(message);
    }
  }

  private async run(message: StreamMessage): Promise<void> {
    const startedAt = performance.now();
    this.running.add(message);
    this.lastStartAt = startedAt;
    const outcome = await this.parts.invoke(message, this.abort.signal);
    this.running.delete(message);
    this.pace.record(performance.now() - startedAt);
    this.parts.counts[outcome]++;
    if (outcome === 'handled') this.settler.commit(message);
    else this.settler.release(message);
    this.pump();
    this.offerRoom();
    // Nothing runs that could be settled together with it.
    if (this.running.size === 0) {
      if (this.readAhead === 0) this.settler.flush();
      if (this.ready.length === 0 || this.stopped) this.onIdle?.();
    }
  }

  private handOverReady(): void {
    for (const message of this.ready) this.settler.handOver(message);
    this.ready = [];
  }

  private offerRoom(): void {
    if (this.wantsRead) this.parts.onRoom(this);
  }

  private sayFault(what: string, error: unknown): void {
    this.faults.say(text.stepFailed(what, this.parts.stream, errorText(error)));
  }
}
