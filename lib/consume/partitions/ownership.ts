import { elapsedMs, type LocalMoment } from '../../redis/server/clocks.js';

/** How long an ownership lasts unless it is renewed, which is done every {@link TEND_MS}. */
export const OWNED_MS = 6_000;
export const TEND_MS = 1_000;

/** The part of its life in which a handler may still be started under it. */
const SAFE_SHARE = 0.8;

/** One turn of owning a partition, from taking it to releasing or losing it, as far as this process knows. */
export class Ownership {
  private confirmedAt: LocalMoment;
  private isLost = false;
  private readonly waiting = new Set<() => void>();

  /** @param askedAt when it was asked for */
  constructor(
    readonly token: string,
    readonly epoch: number,
    askedAt: LocalMoment,
  ) {
    this.confirmedAt = askedAt;
  }

  /** The holder that scripts and leases name. It differs between two turns of the same process. */
  get mark(): string {
    return `${this.token}.${this.epoch}`;
  }

  /** Whether no other member can own the partition: it was renewed recently enough. */
  get isCertain(): boolean {
    return !this.isLost && elapsedMs(this.confirmedAt) <= OWNED_MS;
  }

  /**
   * Whether a handler may start under it. If its last renewal was too long ago, another member may be the owner by now:
   * then `again` is called once Redis has confirmed that it is still ours.
   */
  isLive(again: () => void): boolean {
    if (this.isLost) return false;
    if (elapsedMs(this.confirmedAt) <= SAFE_SHARE * OWNED_MS) return true;
    this.waiting.add(again);
    return false;
  }

  /** Redis has renewed it. */
  confirm(askedAt: LocalMoment): void {
    this.confirmedAt = askedAt;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const again of waiting) again();
  }

  lose(): void {
    this.isLost = true;
  }
}
