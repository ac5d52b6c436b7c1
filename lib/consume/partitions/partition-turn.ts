import { localNow } from '../../redis/server/clocks.js';
import { claimPartitionScript } from '../../redis/scripts/partition/claim-partition.script.js';
import { releasePartitionScript } from '../../redis/scripts/partition/take-partition.script.js';
import { tendPartitionScript } from '../../redis/scripts/partition/tend-partition.script.js';
import { MOST_AT_ONCE } from '../load.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import type { FollowedStream } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { LaneOrder } from '../order/lane-order.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';
import type { Faults } from '../../redis/connect/retry-until-done.js';
import { OWNED_MS, type Ownership, TEND_MS } from './gates.js';

/**
 * One turn of owning a partition: renews the ownership, brings what is due, and claims what was pending for earlier owners
 * before anything new is read.
 */
export class PartitionTurn {
  /** Resolves if another member has the partition. */
  readonly lost: Promise<void>;
  private every: NodeJS.Timeout | undefined;
  private soon: NodeJS.Timeout | undefined;
  private soonAt = Infinity;
  private tending: Promise<void> | undefined;
  private isOver = false;
  /** The entry after which to go on claiming; undefined once all is claimed. */
  private claimAfter: string | undefined = '-';
  /** Counts the walks: what an earlier one brings says nothing about how far this one is. */
  private walk = 0;
  private isWalking = false;
  /** The oldest pending entry of the last look, if it was not in hand. */
  private unknown = '';
  private loseIt: () => void = () => undefined;

  constructor(
    private readonly member: Member,
    readonly partition: number,
    private readonly ownerKey: string,
    private readonly ownership: Ownership,
    private readonly followed: FollowedStream,
    readonly pipeline: Pipeline,
    private readonly order: LaneOrder,
    private readonly refusals: Refusals,
    private readonly faults: Faults,
  ) {
    this.lost = new Promise((resolve) => (this.loseIt = resolve));
  }

  start(): void {
    this.every = setInterval(() => void this.tend(), TEND_MS);
    void this.attend();
    void this.claim();
    this.tendIn(0);
  }

  /** Whether no other member can own the partition now. */
  get isCertain(): boolean {
    return this.ownership.isCertain;
  }

  get epoch(): number {
    return this.ownership.epoch;
  }

  /** Something may be pending that is not here: an answer was lost, or another member was given it. */
  claimAgain(): void {
    if (this.isOver) return;
    this.walk++;
    this.claimAfter = '-';
    this.order.shut();
    this.tendIn(0);
    void this.claim();
  }

  /** Lets running handlers end, and releases the partition for whoever asks next. */
  async giveUp(): Promise<void> {
    const { client, consumer } = this.member;
    await this.pipeline.drain();
    if (this.isOver) return;
    this.end();
    await releasePartitionScript.run(client, [this.ownerKey], [this.ownership.holder, consumer]);
  }

  /** Renews the ownership no more: unless it was released, it expires. */
  end(): void {
    this.isOver = true;
    clearInterval(this.every);
    clearTimeout(this.soon);
    this.order.attention.notify();
  }

  /** Looks for what is due in `delayMs`, unless a look comes before that. */
  private tendIn(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (this.isOver || at >= this.soonAt || delayMs > TEND_MS) return;
    clearTimeout(this.soon);
    this.soonAt = at;
    this.soon = setTimeout(() => {
      this.soonAt = Infinity;
      void this.tend();
    }, delayMs);
  }

  /** Does what the order asks for. */
  private async attend(): Promise<void> {
    while (!this.isOver) {
      await this.order.attention.next();
      if (this.order.takePostponed()) this.claimAgain();
      const dueInMs = this.order.takeDueInMs();
      if (dueInMs !== undefined) this.tendIn(dueInMs + 1);
      this.tendIfMoreIsDue();
      this.claimOn();
    }
  }

  /** Fetches more due entries once there is room for them. */
  private tendIfMoreIsDue(): void {
    if (this.pipeline.due.isBehind && this.pipeline.wantsRead) this.tendIn(0);
  }

  /** There may be room for more of what is pending. */
  private claimOn(): void {
    if (this.claimAfter !== undefined && !this.isWalking && !this.isOver) void this.claim();
  }

  private async tend(): Promise<void> {
    if (this.tending !== undefined) {
      await this.tending;
      return this.tendIn(0);
    }
    this.tending = this.look()
      .then(() => this.faults.onWorking())
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.tending = undefined;
      });
    await this.tending;
  }

  private async look(): Promise<void> {
    const { client, group, consumer, leaseMs } = this.member;
    const { ownership, pipeline, order } = this;
    if (this.isOver || client.status !== 'ready') return;
    const { stream, retries, attempts, deadLetters } = pipeline.keys;
    const askedAt = localNow();
    const seen = await tendPartitionScript.run(
      client,
      [this.ownerKey, stream, retries, attempts, deadLetters],
      [
        group,
        consumer,
        ownership.token,
        ownership.epoch,
        OWNED_MS,
        leaseMs,
        order.takesNew ? pipeline.room : 0,
        JSON.stringify(order.heldBack),
      ],
    );
    if (this.isOver) return;
    if (!seen.isOwner) return this.lose();
    ownership.confirm(askedAt);
    // The answer that says they were postponed may have come just before this one: it is dealt with first.
    if (seen.due.length > 0) await new Promise(setImmediate);
    pipeline.due.isBehind = seen.moreIsDue;
    pipeline.offer(seen.due);
    for (const rowId of seen.gone) pipeline.forget(rowId);
    if (seen.nextDueMs >= 0) this.tendIn(seen.nextDueMs + 1);
    this.tendIfMoreIsDue();
    const isUnknown = seen.oldestPending !== '' && !pipeline.knows(seen.oldestPending);
    const isWalkOver = this.claimAfter === undefined;
    // What was just read or settled may be unknown for a moment.
    if ((seen.othersHave && isWalkOver) || (isUnknown && this.unknown === seen.oldestPending)) {
      this.claimAgain();
    } else this.claimOn();
    this.unknown = isUnknown ? seen.oldestPending : '';
  }

  private failed(error: unknown): void {
    if (isRefusal(error)) this.refusals.note(this.followed, error);
    else this.faults.onFault(error);
  }

  private lose(): void {
    this.end();
    this.ownership.lose();
    this.pipeline.lose();
    this.loseIt();
  }

  private async claim(): Promise<void> {
    if (this.isWalking) return;
    this.isWalking = true;
    try {
      while (this.claimAfter !== undefined && (await this.claimPage(this.claimAfter)));
    } catch (error) {
      // The next look goes on with it.
      this.failed(error);
    } finally {
      this.isWalking = false;
    }
  }

  /** @returns whether to go on at once */
  private async claimPage(after: string): Promise<boolean> {
    const { client, group, consumer } = this.member;
    const { pipeline, order, walk } = this;
    const room = this.roomToClaim;
    if (room === 0 || this.isOver || client.status !== 'ready') return false;
    const inHand = pipeline.inHand.snapshot();
    const { stream, retries, attempts } = pipeline.keys;
    const page = await claimPartitionScript.run(
      client,
      [this.ownerKey, stream, retries, attempts],
      [
        group,
        consumer,
        this.ownership.holder,
        after,
        room,
        pipeline.deliveries.mode.countsPendingAsStarted ? 1 : 0,
      ],
    );
    if (!page.isOwner || this.isOver) return false;
    const entries = page.entries.filter(({ id }) => !inHand.has(id));
    pipeline.offer(entries, { isNew: false }, page.waiting);
    if (page.waiting.size > 0) this.tendIn(0);
    // If the walk began again meanwhile, it has another place to go on from.
    if (walk !== this.walk) return true;
    this.claimAfter = page.next === '' ? undefined : page.next;
    order.claimedUpTo(this.claimAfter);
    pipeline.goOn();
    return true;
  }

  /** How many pending entries may be claimed now. A page has those in hand too, which take no more room. */
  private get roomToClaim(): number {
    const { pipeline, order } = this;
    const { room } = pipeline;
    // If nothing moves before they are claimed, there is always room.
    const isRoom = order.isStuck || (room > 0 && (!order.isMoving || pipeline.isWorthARead));
    if (!isRoom || pipeline.takesNothing) return 0;
    return Math.min(MOST_AT_ONCE, Math.max(room, order.waiting));
  }
}
