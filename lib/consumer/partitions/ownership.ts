import { elapsedMs, type LeaseMoment } from '../lease-clock.js';

/** How long an ownership lasts unless it is renewed, which is done every {@link TEND_MS}. */
export const OWNED_MS = 6_000;
export const TEND_MS = 1_000;

/** The part of its life in which a handler may still be started under it. */
const IS_SAFE = 0.8;

/** That a partition is ours, as far as we know: one turn of it, from taking it to giving it up or losing it. */
export class Ownership {
  private confirmedAt: LeaseMoment;
  private isLost = false;
  private readonly waiting = new Set<() => void>();

  /** @param askedAt when it was asked for */
  constructor(
    readonly token: string,
    readonly epoch: number,
    askedAt: LeaseMoment,
  ) {
    this.confirmedAt = askedAt;
  }

  /** By what scripts know it, and leases that are given under it: another one of the same process is not meant. */
  get mark(): string {
    return `${this.token}.${this.epoch}`;
  }

  /**
   * Whether a handler may start under it. Where its last renewal was too long ago, another member may be the owner by now:
   * then `again` is called once we know that it is not so.
   */
  isLive(again: () => void): boolean {
    if (this.isLost) return false;
    if (elapsedMs(this.confirmedAt) <= IS_SAFE * OWNED_MS) return true;
    this.waiting.add(again);
    return false;
  }

  /** Redis has renewed it. */
  confirm(askedAt: LeaseMoment): void {
    this.confirmedAt = askedAt;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const again of waiting) again();
  }

  lose(): void {
    this.isLost = true;
  }
}
