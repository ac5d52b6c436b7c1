import { laneKeyFor } from '../../codec/lane-key.js';
import { LeaseLostError } from '../../errors/lease-lost.error.js';
import type { RawEntry } from '../../redis/replies.js';
import type { Reservation } from '../../redis/scripts/reservation.js';
import { type FlowLoad, isWorthARead } from '../flow-room.js';
import { StreamFlow } from '../stream-flow.js';
import type { AsNew, StreamMessage } from '../stream-message.js';
import { KeyLanes } from './key-lanes.js';
import type { PartitionFlowParts } from './partition-flow.parts.js';

/** A script that reserves takes no more at once. */
const MOST_AT_ONCE = 1_000;

/** How an entry gets into line: whether it waits for its time, and what is known of it where it is new. */
interface Lined {
  readonly waits?: boolean;
  readonly asNew?: AsNew | undefined;
}

/**
 * The way of a partition's entries through its owner, for one turn of owning it: that of any stream, behind lanes that
 * keep the messages of a key in order.
 */
export class PartitionFlow extends StreamFlow {
  override readonly isOwned = true;
  private readonly lanes: KeyLanes;
  /** What failed, until it is recorded that it waits; and for how long. */
  private readonly failing = new Map<string, number>();
  /** Whether what is pending is still being claimed: until then nothing new is read. */
  private isClaiming = true;
  private isDone = false;
  private drained: Promise<void> | undefined;
  private letsOut = false;

  constructor(private readonly its: PartitionFlowParts) {
    super(its);
    const keyOf = laneKeyFor(its.codec);
    this.lanes = new KeyLanes(({ envelope, messageId }) => keyOf(envelope, messageId));
  }

  override get wantsRead(): boolean {
    return !this.isClaiming && !this.isDone && super.wantsRead;
  }

  /** How much of what is pending may be claimed now: what waits here is in it again, and takes no more room. */
  get roomToClaim(): number {
    const { room, lanes } = this;
    // Where nothing moves before it was claimed, there is room at any rate.
    const isRoom =
      lanes.isStuck || (room > 0 && (!lanes.isMoving || isWorthARead(this.load, this.options)));
    return isRoom && !this.isDone ? Math.min(MOST_AT_ONCE, Math.max(room, lanes.waiting)) : 0;
  }

  /** How much may come that is due and was not here. */
  get roomForDue(): number {
    return this.isClaiming || this.isDone ? 0 : this.room;
  }

  get heldBack(): readonly string[] {
    return this.lanes.heldBack;
  }

  /** Takes new entries, or what is due and was not here. What comes once it ends stays pending. */
  override accept(entries: readonly RawEntry[], asNew?: AsNew): void {
    if (this.isDone) return;
    for (const entry of entries) {
      if (this.lanes.isHeldBack(entry.id)) this.takeDue(entry);
      else if (this.inHand.has(entry.id)) this.lanes.isDue(entry.id);
      else this.line(entry, { asNew });
    }
    this.letOut();
  }

  /** Takes what was pending, whoever had it; those that wait for their time hold back their keys. */
  claim(entries: readonly RawEntry[], waiting: ReadonlySet<string>): void {
    if (this.isDone) return;
    for (const entry of entries) {
      if (!this.inHand.has(entry.id)) this.line(entry, { waits: waiting.has(entry.id) });
    }
    this.letOut();
  }

  /** Up to an entry, all that was pending is here; where none is named, all of it is, and new entries may come. */
  claimedUpTo(entryId?: string): void {
    this.isClaiming = entryId !== undefined;
    this.lanes.open(entryId);
    this.letOut();
    this.offerRoom();
  }

  /** Something may be pending that comes before what is here: nothing begins until it was claimed. */
  shut(): void {
    this.isClaiming = true;
    this.lanes.shut();
  }

  override stop(): void {
    this.isDone = true;
    const { delivery, dedup } = this.options;
    const waiting = this.lanes.clear();
    for (const message of waiting) {
      this.inHand.remove(message.entryId);
      // Without leases only this says that it did not run.
      if (dedup === false && delivery === 'at-least-once') this.settler.giveBack(message);
    }
    super.stop();
  }

  override drain(): Promise<void> {
    this.drained ??= super.drain();
    return this.drained;
  }

  /** The partition is another's: what runs is told, and what waits is left alone, in Redis too. */
  async lose(): Promise<void> {
    this.isDone = true;
    this.stopped = true;
    this.lanes.clear();
    this.slots.stop();
    for (const message of this.slots.all()) {
      this.slots.abort(new LeaseLostError(this.stream, message.originalEntryId), message);
    }
    this.dropWaiting();
    await this.intake.done();
    this.dropWaiting();
  }

  /** Only the app's end makes handlers fail: not that the partition goes to another. */
  protected override get isClosing(): boolean {
    return this.stopped && !this.isGivenUp;
  }

  /** Whether it ends since another is to have the partition, and not since the app does. */
  isGivenUp = false;

  /** There is no pace to keep with others. What waits behind its key leaves room for less. */
  protected override get load(): FlowLoad {
    const mayWait = this.options.batchSize - this.lanes.waiting;
    return {
      taken: this.slots.taken,
      passes: false,
      mayWait,
      readAhead: this.readAhead,
      inFlight: this.inHand.size - this.lanes.waiting,
    };
  }

  protected override takeOurs(
    messages: readonly StreamMessage[],
    answers: readonly Reservation[] | undefined,
  ): void {
    if (answers?.some(({ kind }) => kind === 'postponed') !== true) {
      super.takeOurs(messages, answers);
      return this.letOut();
    }
    // Redrives come after all that is pending, and may have to wait where entries need not.
    const isPostponed = (_: unknown, n: number): boolean => answers[n]?.kind === 'postponed';
    const begins = (_: unknown, n: number): boolean => answers[n]?.kind !== 'postponed';
    this.postpone(messages.filter(isPostponed));
    super.takeOurs(messages.filter(begins), answers.filter(begins));
  }

  private postpone(messages: readonly StreamMessage[]): void {
    this.lanes.shut();
    this.lanes.putBack(messages);
    if (this.isDone) for (const message of messages) super.forget(message);
    else this.its.onPostponed();
  }

  protected override putOff({ entryId }: StreamMessage, delayMs: number): void {
    this.failing.set(entryId, delayMs);
  }

  /** They are settled, or gone: what failed waits for its time from now on. */
  override leave(entryIds: readonly string[]): void {
    const through: string[] = [];
    for (const entryId of entryIds) {
      const delayMs = this.failing.get(entryId);
      if (delayMs === undefined || this.isDone) through.push(entryId);
      else this.holdUntilDue(entryId, delayMs);
      this.failing.delete(entryId);
    }
    super.leave(through);
    for (const entryId of through) this.lanes.through(entryId);
    this.letOut();
  }

  protected override forget(message: StreamMessage, why?: Reservation['kind']): void {
    // Another entry of the message is under way here: it is asked for again, in its place.
    if (why === 'leased-elsewhere' && !this.isDone) return this.holdUntilDue(message.entryId, 0);
    super.forget(message);
    this.lanes.through(message.entryId);
    this.letOut();
  }

  protected override async holdBack(message: StreamMessage, delayMs: number): Promise<void> {
    // Whoever has the partition next waits for it.
    if (this.isDone) this.settler.retry(message, delayMs);
    else await super.holdBack(message, delayMs);
  }

  protected override offerRoom(): void {
    if (this.isClaiming) this.its.onRoomToClaim();
    else super.offerRoom();
  }

  private holdUntilDue(entryId: string, delayMs: number): void {
    this.lanes.holdBack(entryId);
    this.its.onHeldBack(delayMs);
  }

  private line(entry: RawEntry, { waits = false, asNew }: Lined): void {
    const message = this.read(entry, asNew);
    if (message !== undefined) this.lanes.add(message, waits);
  }

  /** Read anew: what the handler before had may not be as it came any more. */
  private takeDue(entry: RawEntry): void {
    const message = this.read(entry);
    if (message !== undefined) this.lanes.again(message);
    else if (entry.fields === undefined) this.leave([entry.id]);
  }

  private read(entry: RawEntry, asNew?: AsNew): StreamMessage | undefined {
    const message = this.arrivals.messageOf(entry, asNew);
    if (message !== undefined) message.partition = this.its.partition;
    return message;
  }

  /** One batch after the other: what is settled meanwhile goes along with the next. */
  private letOut(): void {
    if (this.letsOut || this.isDone) return;
    this.letsOut = true;
    queueMicrotask(() => {
      this.letsOut = false;
      if (this.lanes.takeLook()) this.its.onHeldBack(0);
      if (this.isDone || this.intake.entering > 0) return;
      const messages = this.lanes.takeOut(MOST_AT_ONCE);
      if (messages.length > 0) this.intake.add(messages);
    });
  }

  private dropWaiting(): void {
    const leavesWork = this.options.delivery === 'at-least-once';
    for (const message of this.slots.takeWaiting()) {
      this.inHand.remove(message.entryId);
      if (!leavesWork) this.outcomes.lost(message);
    }
  }
}
