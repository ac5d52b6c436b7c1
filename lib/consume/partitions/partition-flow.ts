import { laneKeyFor } from '../../wire/lane-key.js';
import { LeaseLostError } from '../../errors/handler.errors.js';
import { isRedrive } from '../../wire/redrive-member.js';
import type { RawEntry } from '../../redis/read/replies.js';
import type { Reservation } from '../../redis/scripts/reserve/reservation.js';
import { type FlowLoad, isWorthARead } from '../flow-room.js';
import { StreamFlow } from '../stream-flow.js';
import type { AsNew, StreamMessage } from '../stream-message.js';
import type { Verdict } from '../verdict.js';
import * as text from '../consumer.messages.js';
import { KeyLanes } from '../order/key-lanes.js';
import type { PartitionFlowParts } from './partition-flow.parts.js';

/** A script that reserves takes no more at once. */
const MOST_AT_ONCE = 1_000;

/**
 * How many messages of a partition may be in hand because their key waits for a retry, in batches: beside what others have
 * room for, so that they are not held up.
 */
const HELD_BATCHES = 10;

/** How an entry comes into its lane: whether its retry is not due yet, and what is known of it if it is new. */
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
  /** Whether the turn ends because another member is to own the partition, and not because the app is closing. */
  isHandingOver = false;
  private readonly lanes: KeyLanes;
  /** Messages that failed, and for how long they will wait, until Redis has recorded it. */
  private readonly failing = new Map<string, number>();
  /** Whether pending entries are still being claimed: until then nothing new is read. */
  private isClaiming = true;
  private isDone = false;
  private isLost = false;
  private drained: Promise<void> | undefined;
  private letsOut = false;
  private isHeldFull = false;

  constructor(private readonly its: PartitionFlowParts) {
    super(its);
    const keyOf = laneKeyFor(its.codec);
    this.lanes = new KeyLanes(({ envelope, messageId }) => keyOf(envelope, messageId));
  }

  override get room(): number {
    const forHeld = HELD_BATCHES * this.options.batchSize - this.lanes.held;
    return Math.max(0, Math.min(super.room, forHeld));
  }

  override get wantsRead(): boolean {
    return !this.isClaiming && !this.isDone && super.wantsRead && this.room > 0;
  }

  /** How many pending entries may be claimed now. A page has those in hand too, which take no more room. */
  get roomToClaim(): number {
    const { room, lanes } = this;
    // If nothing moves before they are claimed, there is always room.
    const isRoom =
      lanes.isStuck || (room > 0 && (!lanes.isMoving || isWorthARead(this.load, this.options)));
    if (!isRoom || this.isDone) return 0;
    return Math.min(MOST_AT_ONCE, Math.max(room, lanes.queued + lanes.held));
  }

  /** How many due entries may come that are not in hand. */
  get roomForDue(): number {
    return this.isClaiming || this.isDone ? 0 : this.room;
  }

  get heldBack(): readonly string[] {
    return this.lanes.heldBack;
  }

  /** Takes new entries, and those whose retry is due. */
  override accept(entries: readonly RawEntry[], asNew?: AsNew): void {
    for (const entry of entries) {
      if (this.isDone) this.handBack(entry);
      else if (this.lanes.isHeldBack(entry.id)) this.takeDue(entry);
      else if (this.inHand.has(entry.id)) this.lanes.isDue(entry.id);
      else this.line(entry, { asNew });
    }
    this.letOut();
    this.warnIfHeldFull();
  }

  /** Takes what was pending, for whichever consumer; entries whose retry is not due hold back their keys. */
  claim(entries: readonly RawEntry[], waiting: ReadonlySet<string>): void {
    if (this.isDone) return;
    for (const entry of entries) {
      if (!this.inHand.has(entry.id)) this.line(entry, { waits: waiting.has(entry.id) });
    }
    this.letOut();
  }

  /** All that was pending up to an entry is here; if none is named, all of it is, and new entries may come. */
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
    for (const message of this.lanes.clear()) this.giveUnstartedBack(message);
    super.stop();
  }

  override drain(): Promise<void> {
    this.drained ??= super.drain();
    return this.drained;
  }

  /** Another member owns the partition: running handlers are told, and what waits is left to it. */
  async lose(): Promise<void> {
    this.isDone = true;
    this.isLost = true;
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

  /** Whether the app is closing, so that a failure may be its doing. */
  protected override get isClosing(): boolean {
    return this.stopped && !this.isHandingOver;
  }

  /** Members do not share a partition, so the pace does not matter. What waits behind its key leaves room for less. */
  protected override get load(): FlowLoad {
    const { queued, held } = this.lanes;
    return {
      taken: this.slots.taken,
      passes: false,
      mayWait: this.options.batchSize - queued,
      readAhead: this.readAhead,
      inFlight: this.inHand.size - queued - held,
    };
  }

  /** A late failure is ignored once another member owns the partition: it runs the message again. */
  protected override settle(message: StreamMessage, verdict: Verdict): void {
    const isIgnored = verdict.kind !== 'handled' && this.options.delivery === 'at-least-once';
    if (this.isLost && isIgnored) this.forgetRun(message);
    else super.settle(message, verdict);
  }

  protected override takeOurs(
    messages: readonly StreamMessage[],
    answers: readonly Reservation[] | undefined,
  ): void {
    if (answers?.some(({ kind }) => kind === 'postponed') !== true) {
      super.takeOurs(messages, answers);
      return this.letOut();
    }
    // Redrives come after all pending entries, and may have to wait even if entries need not.
    const isPostponed = (_: unknown, n: number): boolean => answers[n]?.kind === 'postponed';
    const begins = (_: unknown, n: number): boolean => answers[n]?.kind !== 'postponed';
    this.postpone(messages.filter(isPostponed));
    super.takeOurs(messages.filter(begins), answers.filter(begins));
  }

  private postpone(messages: readonly StreamMessage[]): void {
    this.lanes.shut();
    this.lanes.putBack(messages);
    if (this.isDone) for (const message of messages) this.giveUnstartedBack(message);
    else this.its.onPostponed();
  }

  protected override putOff({ entryId }: StreamMessage, delayMs: number): void {
    this.failing.set(entryId, delayMs);
  }

  /** They are settled, or gone: a message that failed waits for its retry from now on. */
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
    // Another entry of the message is being handled: it is asked for again, in its place.
    if (why === 'leased-elsewhere' && !this.isDone) return this.holdUntilDue(message.entryId, 0);
    super.forget(message);
    this.lanes.through(message.entryId);
    this.letOut();
  }

  protected override async holdBack(message: StreamMessage, delayMs: number): Promise<void> {
    // The next owner waits for it.
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

  /** Decoded again: the last handler may have changed the payload. */
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

  /** Lets out one batch after the other: outcomes that come up meanwhile go along with the next. */
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

  /** An entry that arrives after the turn has ended. If the partition is lost, the new owner claims it. */
  private handBack(entry: RawEntry): void {
    if (this.isLost || this.inHand.has(entry.id)) return;
    const message = this.read(entry);
    if (message !== undefined) this.giveUnstartedBack(message);
  }

  /**
   * The next owner claims what is pending. It has to be told of what it would count as a run that did not finish, and of
   * redrives, which are not pending.
   */
  private giveUnstartedBack(message: StreamMessage): void {
    if (this.pendingMeansStarted || isRedrive(message.entryId)) this.settler.handOver(message);
    else this.inHand.remove(message.entryId);
  }

  private dropWaiting(): void {
    const leavesWork = this.options.delivery === 'at-least-once';
    for (const message of this.slots.takeWaiting()) {
      this.inHand.remove(message.entryId);
      // A redrive is still a dead letter until it starts.
      if (!leavesWork && !isRedrive(message.entryId)) this.outcomes.lost(message);
    }
  }

  private warnIfHeldFull(): void {
    const most = HELD_BATCHES * this.options.batchSize;
    const isFull = this.lanes.held >= most;
    if (isFull && !this.isHeldFull) this.its.logger.warn(text.heldFull(this.its.keys.stream, most));
    this.isHeldFull = isFull;
  }
}
