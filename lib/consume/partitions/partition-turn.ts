import type { Redis } from 'ioredis';
import { claimPartitionScript } from '../../redis/scripts/partition/claim-partition.script.js';
import { releasePartitionScript } from '../../redis/scripts/partition/release-partition.script.js';
import { tendPartitionScript } from '../../redis/scripts/partition/tend-partition.script.js';
import { localNow } from '../../redis/server/clocks.js';
import { OWNED_MS, type Ownership, TEND_MS } from './ownership.js';
import type { PartitionFlow } from './partition-flow.js';

export interface PartitionTurnParts {
  readonly client: Redis;
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly partition: number;
  readonly ownerKey: string;
  readonly ownership: Ownership;
  readonly flow: PartitionFlow;
  /** Told once, where another has the partition. */
  readonly onLost: () => void;
  readonly onFault: (error: unknown) => void;
}

/**
 * One turn of owning a partition: renews the ownership, brings what is due, and claims what was pending for earlier owners
 * before anything new is read.
 */
export class PartitionTurn {
  private readonly every: NodeJS.Timeout;
  private soon: NodeJS.Timeout | undefined;
  private soonAt = Infinity;
  private tending: Promise<void> | undefined;
  private isOver = false;
  /** The entry after which to go on claiming; nothing where all is claimed. */
  private claimAfter: string | undefined = '-';
  /** Counts the walks: what an earlier one brings says nothing of how far this one is. */
  private walk = 0;
  private isWalking = false;
  /** The oldest pending entry of the last look, where it was not here. */
  private unknown = '';

  constructor(private readonly parts: PartitionTurnParts) {
    this.every = setInterval(() => void this.tend(), TEND_MS);
  }

  start(): void {
    void this.claim();
    this.tendIn(0);
  }

  get partition(): number {
    return this.parts.partition;
  }

  /** Whether no other member can own the partition now. */
  get isCertain(): boolean {
    return this.parts.ownership.isCertain;
  }

  get epoch(): number {
    return this.parts.ownership.epoch;
  }

  get flow(): PartitionFlow {
    return this.parts.flow;
  }

  /** Looks for what is due in `delayMs`, unless a look comes before that. */
  tendIn(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (this.isOver || at >= this.soonAt || delayMs > TEND_MS) return;
    clearTimeout(this.soon);
    this.soonAt = at;
    this.soon = setTimeout(() => {
      this.soonAt = Infinity;
      void this.tend();
    }, delayMs);
  }

  /** Something may be pending that is not here: an answer was lost, or another was given it. */
  claimAnew(): void {
    if (this.isOver) return;
    this.walk++;
    this.claimAfter = '-';
    this.flow.shut();
    this.tendIn(0);
    void this.claim();
  }

  /** There is room for more of what is pending. */
  claimOn(): void {
    if (this.claimAfter !== undefined && !this.isWalking) void this.claim();
  }

  /** Lets running handlers end, and releases the partition for whoever asks next. */
  async giveUp(): Promise<void> {
    const { client, consumer, ownerKey, ownership, flow } = this.parts;
    await flow.drain();
    if (this.isOver) return;
    this.end();
    await releasePartitionScript.run(client, [ownerKey], [ownership.mark, consumer]);
  }

  /** Renews the ownership no more: unless it was released, it expires. */
  end(): void {
    this.isOver = true;
    clearInterval(this.every);
    clearTimeout(this.soon);
  }

  private async tend(): Promise<void> {
    if (this.tending !== undefined) {
      await this.tending;
      return this.tendIn(0);
    }
    this.tending = this.look()
      .catch((error: unknown) => this.parts.onFault(error))
      .finally(() => {
        this.tending = undefined;
      });
    await this.tending;
  }

  private async look(): Promise<void> {
    const { client, group, consumer, leaseMs, ownerKey, ownership, flow } = this.parts;
    if (this.isOver || client.status !== 'ready') return;
    const { stream, retries, attempts, deadLetters } = flow.keys;
    const askedAt = localNow();
    const seen = await tendPartitionScript.run(
      client,
      [ownerKey, stream, retries, attempts, deadLetters],
      [
        group,
        consumer,
        ownership.token,
        ownership.epoch,
        OWNED_MS,
        leaseMs,
        flow.roomForDue,
        JSON.stringify(flow.heldBack),
      ],
    );
    if (this.isOver) return;
    if (!seen.isOwner) return this.lose();
    ownership.confirm(askedAt);
    // The answer that says they were postponed may have come just before this one: it is dealt with first.
    if (seen.due.length > 0) await new Promise(setImmediate);
    flow.accept(seen.due);
    flow.leave(seen.gone);
    if (seen.nextDueMs >= 0) this.tendIn(seen.nextDueMs + 1);
    const isUnknown = seen.oldestPending !== '' && !flow.inHand.has(seen.oldestPending);
    const isWalkOver = this.claimAfter === undefined;
    // What was just read or settled may be unknown for a moment.
    if ((seen.othersHave && isWalkOver) || (isUnknown && this.unknown === seen.oldestPending)) {
      this.claimAnew();
    } else this.claimOn();
    this.unknown = isUnknown ? seen.oldestPending : '';
  }

  private lose(): void {
    this.end();
    this.parts.ownership.lose();
    void this.flow.lose();
    this.parts.onLost();
  }

  private async claim(): Promise<void> {
    if (this.isWalking) return;
    this.isWalking = true;
    try {
      while (this.claimAfter !== undefined && (await this.claimPage(this.claimAfter)));
    } catch (error) {
      // The next look goes on with it.
      this.parts.onFault(error);
    } finally {
      this.isWalking = false;
    }
  }

  /** @returns whether to go on at once */
  private async claimPage(after: string): Promise<boolean> {
    const { client, group, consumer, ownerKey, ownership, flow } = this.parts;
    const { walk } = this;
    const room = flow.roomToClaim;
    if (room === 0 || this.isOver || client.status !== 'ready') return false;
    // What is settled meanwhile may be in the answer still, and is not in hand any more when that comes.
    const inHand = flow.inHand.snapshot();
    const page = await claimPartitionScript.run(
      client,
      [ownerKey, flow.keys.stream, flow.keys.retries, flow.keys.attempts],
      [group, consumer, ownership.mark, after, room, flow.pendingMeansStarted ? 1 : 0],
    );
    if (!page.isOwner || this.isOver) return false;
    flow.claim(
      page.entries.filter(({ id }) => !inHand.has(id)),
      page.waiting,
    );
    if (page.waiting.size > 0) this.tendIn(0);
    // One that was begun anew meanwhile has another place to go on from.
    if (walk !== this.walk) return true;
    this.claimAfter = page.next === '' ? undefined : page.next;
    flow.claimedUpTo(this.claimAfter);
    return true;
  }
}
