import type { ResolvedSubscription } from '../../options/resolved-options.js';
import { elapsedMs, type LocalMoment } from '../../redis/server/clocks.js';
import type { Holder } from '../../wire/ids.js';
import type { Gate } from '../quarantine.js';
import { ReadAheadBytes } from '../read-ahead-bytes.js';
import { Wakeup } from '../waiting.js';

/** How long an ownership lasts unless it is renewed, which is done every {@link TEND_MS}. */
export const OWNED_MS = 6_000;
export const TEND_MS = 1_000;

/** The part of its life in which a handler may still be started under it. */
const SAFE_SHARE = 0.8;

/** One turn of owning a partition, from taking it to releasing or losing it, as far as this process knows. */
export class Ownership implements Gate {
  private confirmedAt: LocalMoment;
  private isLost = false;
  private readonly confirmed = new Wakeup();

  /** @param askedAt when it was asked for */
  constructor(
    readonly token: string,
    readonly epoch: number,
    askedAt: LocalMoment,
  ) {
    this.confirmedAt = askedAt;
  }

  /** The holder that scripts and leases name. It differs between two turns of the same process. */
  get holder(): Holder {
    return `${this.token}.${this.epoch}` as Holder;
  }

  /** Whether no other member can own the partition: it was renewed recently enough. */
  get isCertain(): boolean {
    return !this.isLost && elapsedMs(this.confirmedAt) <= OWNED_MS;
  }

  /** Whether a handler may start: if the last renewal was too long ago, another member may be the owner by now. */
  isOpenFor(): boolean {
    return !this.isLost && elapsedMs(this.confirmedAt) <= SAFE_SHARE * OWNED_MS;
  }

  opened(): Promise<void> {
    return this.confirmed.next();
  }

  endOffer(): void {}

  started(): void {}

  ended(): void {}

  /** Redis has renewed it. */
  confirm(askedAt: LocalMoment): void {
    this.confirmedAt = askedAt;
    this.confirmed.notify();
  }

  lose(): void {
    this.isLost = true;
  }
}

/** What the partitions of one stream share in a process: as many slots as `concurrency` gives, and `readAheadBytes`. */
export class SharedSlots {
  private taken = 0;
  /** Partitions that wait for a slot, in the order in which they asked. */
  private readonly waiting: SharedSlotsGate[] = [];

  readonly bytes: ReadAheadBytes;

  constructor(
    private readonly options: Pick<ResolvedSubscription, 'concurrency' | 'readAheadBytes'>,
  ) {
    this.bytes = new ReadAheadBytes(options.readAheadBytes);
  }

  /** The share of one partition. */
  gate(): Gate {
    return new SharedSlotsGate(this);
  }

  get hasFree(): boolean {
    return this.taken < this.options.concurrency;
  }

  take(): void {
    this.taken++;
  }

  giveBack(): void {
    this.taken--;
    this.offer();
  }

  wait(gate: SharedSlotsGate): void {
    if (!this.waiting.includes(gate)) this.waiting.push(gate);
  }

  /** A free slot is taken for whoever has waited longest: others do not get ahead of it. */
  private offer(): void {
    if (!this.hasFree) return;
    const next = this.waiting.shift();
    if (next === undefined) return;
    this.take();
    next.accept();
  }
}

class SharedSlotsGate implements Gate {
  private readonly offered = new Wakeup();
  private hasOffer = false;

  constructor(private readonly slots: SharedSlots) {}

  isOpenFor(): boolean {
    return this.hasOffer || this.slots.hasFree;
  }

  opened(): Promise<void> {
    this.slots.wait(this);
    return this.offered.next();
  }

  /** A slot is taken for this partition. */
  accept(): void {
    this.hasOffer = true;
    this.offered.notify();
  }

  endOffer(): void {
    if (!this.hasOffer) return;
    this.hasOffer = false;
    this.slots.giveBack();
  }

  started(): void {
    if (this.hasOffer) this.hasOffer = false;
    else this.slots.take();
  }

  ended(): void {
    this.slots.giveBack();
  }
}
