import { type Load, MOST_AT_ONCE } from '../load.js';
import type { Message } from '../message.js';
import type { ReadAheadBytes } from '../read-ahead-bytes.js';
import { Wakeup } from '../waiting.js';
import { KeyLanes } from './key-lanes.js';
import type { Sequencer } from './sequencer.js';

/**
 * How many messages of a partition may be in hand because their key waits for a retry, in batches. They have room of their own,
 * so that other keys are not held up.
 */
const HELD_BATCHES = 10;

/** Messages of a partition run one after the other within each key, and only after all that was pending before them. */
export class LaneOrder implements Sequencer {
  /** Has news when the owner has something to do: claim again, claim more, or look for what is due. */
  readonly attention = new Wakeup();
  private readonly lanes: KeyLanes;
  private isClaimed = false;
  private isPostponed = false;
  private isStopped = false;
  private dueAtMs = Infinity;

  /** @param keyOf what keeps messages in order with each other */
  constructor(
    keyOf: (message: Message) => string,
    private readonly batchSize: number,
    private readonly readAheadBytes: ReadAheadBytes,
  ) {
    this.lanes = new KeyLanes(keyOf);
  }

  get takesNew(): boolean {
    return this.isClaimed && !this.isStopped;
  }

  get room(): number {
    if (this.readAheadBytes.areFull(this.heldBytes)) return 0;
    return Math.max(0, HELD_BATCHES * this.batchSize - this.held);
  }

  get held(): number {
    return this.lanes.held;
  }

  get heldBytes(): number {
    return this.lanes.heldBytes;
  }

  get hasNext(): boolean {
    return this.lanes.ready > 0;
  }

  /** The row IDs of messages that wait for a retry and are let out when it is due. */
  get heldBack(): readonly string[] {
    return this.lanes.heldBack;
  }

  /** How many messages wait for others of their key. */
  get waiting(): number {
    return this.lanes.queued + this.lanes.held;
  }

  /** Whether a message was let out and is not done. */
  get isMoving(): boolean {
    return this.lanes.isMoving;
  }

  /** Whether messages wait and none moves, since something that is pending may have to come before them. */
  get isStuck(): boolean {
    return this.lanes.isStuck;
  }

  add(messages: readonly Message[], notDueYet?: ReadonlySet<string>): void {
    for (const message of messages) {
      if (this.lanes.isHeldBack(message.rowId)) this.lanes.again(message);
      else this.lanes.add(message, notDueYet?.has(message.rowId) === true);
    }
    this.noteBecameHeld();
  }

  wantsAgain(rowId: string): boolean {
    if (this.lanes.isHeldBack(rowId)) return true;
    this.lanes.isDue(rowId);
    return false;
  }

  takeNext(): Message[] {
    return this.isStopped ? [] : this.lanes.takeOut(MOST_AT_ONCE);
  }

  putBack(messages: readonly Message[]): void {
    this.shut();
    this.lanes.putBack(messages);
    this.isPostponed = true;
    this.attention.notify();
  }

  done(rowId: string, againInMs?: number): boolean {
    if (againInMs !== undefined && !this.isStopped) {
      this.lanes.holdBack(rowId);
      this.noteDue(againInMs);
      return true;
    }
    this.lanes.through(rowId);
    this.noteBecameHeld();
    return false;
  }

  stop(): Message[] {
    this.isStopped = true;
    return this.lanes.clear();
  }

  noteRoom(): void {
    this.attention.notify();
  }

  /** Members do not share a partition, so the pace does not matter. */
  adjust(load: Load): Load {
    const { queued, held } = this.lanes;
    return {
      ...load,
      runsSynchronously: false,
      readAheadLimit: this.batchSize - queued,
      inFlight: load.inFlight - queued - held,
    };
  }

  /** All that was pending up to an entry is here. If none is named, all of it is, and new entries may come. */
  claimedUpTo(entryId?: string): void {
    this.isClaimed = entryId === undefined;
    this.lanes.open(entryId);
    this.noteBecameHeld();
  }

  /** Lets nothing out for now: something that comes first may be pending. */
  shut(): void {
    this.isClaimed = false;
    this.lanes.shut();
  }

  /** Whether, since the last call, messages were not allowed to run yet. */
  takePostponed(): boolean {
    const was = this.isPostponed;
    this.isPostponed = false;
    return was;
  }

  /** In how many ms something that waits here is due; undefined if that has not changed since the last call. */
  takeDueInMs(): number | undefined {
    if (this.dueAtMs === Infinity) return undefined;
    const inMs = Math.max(0, this.dueAtMs - performance.now());
    this.dueAtMs = Infinity;
    return inMs;
  }

  private noteBecameHeld(): void {
    if (this.lanes.takeLook()) this.noteDue(0);
  }

  private noteDue(inMs: number): void {
    this.dueAtMs = Math.min(this.dueAtMs, performance.now() + inMs);
    this.attention.notify();
  }
}
