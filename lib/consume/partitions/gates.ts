import { elapsedMs, type LocalMoment } from '../../redis/server/clocks.js';
import type { Holder } from '../../wire/ids.js';
import type { Gate } from '../quarantine.js';
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

/** The slots that the partitions of one stream share in a process: as many as `concurrency` gives. */
export class SharedSlots implements Gate {
  private taken = 0;
  /** Those that wait for a slot, in the order in which they asked. */
  private waiting: (() => void)[] = [];

  constructor(private readonly concurrency: number) {}

  isOpenFor(): boolean {
    return this.taken < this.concurrency;
  }

  opened(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  started(): void {
    this.taken++;
  }

  ended(): void {
    this.taken--;
    this.wakeNext();
  }

  /** Wakes one after the other while a slot is free: each has taken it, or does not need it, before the next one is asked. */
  private wakeNext(): void {
    if (this.taken >= this.concurrency) return;
    const wake = this.waiting.shift();
    if (wake === undefined) return;
    wake();
    // The one that was woken takes the slot in the next microtask.
    queueMicrotask(() => queueMicrotask(() => this.wakeNext()));
  }
}
