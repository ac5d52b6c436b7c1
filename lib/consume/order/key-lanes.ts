import { compareEntryIds } from '../../wire/ids.js';
import type { Message } from '../message.js';

interface Lane {
  readonly key: string;
  /** The row ID of the message that was let out or waits for a retry. Nothing of its key starts before it is done. */
  first: string | undefined;
  firstBytes: number;
  /** Whether `first` waits for a retry. */
  isHeld: boolean;
  /** In their order. */
  readonly waiting: Message[];
  /** Of `first` and `waiting` together. */
  bytes: number;
}

/**
 * Messages with the same key run one after the other, in the order of their entries. Messages with different keys do not wait
 * for each other. One message of each key is let out at a time, and the next one after that is settled, so that a crash
 * repeats no more than one.
 */
export class KeyLanes {
  private readonly lanes = new Map<string, Lane>();
  /** The lanes whose first message is out, by its row ID. */
  private readonly firsts = new Map<string, Lane>();
  /** Row IDs of waiting messages whose retry is not due yet. */
  private readonly postponed = new Set<string>();
  private out: Message[] = [];
  private queuedCount = 0;
  private heldCount = 0;
  private behindHeldCount = 0;
  private heldBytesCount = 0;
  private someBecameHeld = false;
  /** The last entry that may be let out; undefined if all may. */
  private bound: string | undefined = '0-0';

  /** @param keyOf what keeps messages in order with each other */
  constructor(private readonly keyOf: (message: Message) => string) {}

  /** How many messages wait for a running message of their key. */
  get queued(): number {
    return this.queuedCount;
  }

  /** How many messages wait for a retry, or for a message of their key that does. */
  get held(): number {
    return this.heldCount + this.behindHeldCount;
  }

  /** The bytes of those that are held. */
  get heldBytes(): number {
    return this.heldBytesCount;
  }

  /** How many messages are let out and not taken. */
  get ready(): number {
    return this.out.length;
  }

  /** Whether a message was let out and is not done. */
  get isMoving(): boolean {
    return this.out.length > 0 || this.firsts.size > this.heldCount;
  }

  /** Whether messages wait and none moves, since something that is pending may have to come before them. */
  get isStuck(): boolean {
    return !this.isMoving && this.lanes.size > this.firsts.size;
  }

  /** The row IDs of messages that wait for a retry and are let out when it is due. */
  get heldBack(): readonly string[] {
    return [...this.firsts].filter(([, { isHeld }]) => isHeld).map(([rowId]) => rowId);
  }

  isHeldBack(rowId: string): boolean {
    return this.firsts.get(rowId)?.isHeld === true;
  }

  /** @param waits whether its retry is not due yet, so that it holds back its key */
  add(message: Message, waits = false): void {
    const key = this.keyOf(message);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { key, first: undefined, firstBytes: 0, isHeld: false, waiting: [], bytes: 0 };
      this.lanes.set(key, lane);
    }
    if (waits) this.postponed.add(message.rowId);
    lane.waiting.splice(placeIn(lane.waiting, message), 0, message);
    this.count(lane, 1);
    lane.bytes += message.bytes;
    if (lane.isHeld) this.heldBytesCount += message.bytes;
    this.advance(lane);
  }

  /** The messages that may run now, in the order in which they came. */
  takeOut(most: number): Message[] {
    return this.out.splice(0, most);
  }

  /** A message is settled, or is not ours any more: the next one of its key may be let out. */
  through(rowId: string): void {
    const lane = this.firsts.get(rowId);
    if (lane === undefined) return;
    this.letGo(lane);
    this.advance(lane);
  }

  /** A message waits for a retry, and its key with it. */
  holdBack(rowId: string): void {
    const lane = this.firsts.get(rowId);
    if (lane !== undefined) this.hold(lane);
  }

  /** The retry of a message that was held back is due. */
  again(message: Message): void {
    const lane = this.firsts.get(message.rowId);
    if (lane?.isHeld !== true) return;
    this.unhold(lane);
    this.out.push(message);
  }

  /** The retry of a message is due before its turn in its lane. */
  isDue(rowId: string): void {
    this.postponed.delete(rowId);
  }

  /** Whether, since the last call, a message came to the front whose retry was not due when it was added. */
  takeLook(): boolean {
    const were = this.someBecameHeld;
    this.someBecameHeld = false;
    return were;
  }

  /** Messages that were let out did not start: each waits again, behind what has come before it meanwhile. */
  putBack(messages: readonly Message[]): void {
    for (const message of messages) {
      const lane = this.firsts.get(message.rowId);
      if (lane === undefined) continue;
      this.letGo(lane);
      lane.waiting.splice(placeAgain(lane.waiting, message), 0, message);
      this.count(lane, 1);
      lane.bytes += message.bytes;
      this.advance(lane);
    }
  }

  /** Lets nothing out for now: something that comes first may be pending. */
  shut(): void {
    this.bound = '0-0';
    this.putBack(this.takeOut(this.out.length));
  }

  /** Lets out messages up to an entry, or all if none is named. */
  open(bound?: string): void {
    this.bound = bound;
    for (const lane of this.lanes.values()) this.advance(lane);
  }

  /** Forgets everything. @returns the messages that waited for their turn, without those whose retry is not due yet */
  clear(): Message[] {
    const waiting = [...this.out, ...[...this.lanes.values()].flatMap((lane) => lane.waiting)];
    const itsTurn = waiting.filter(({ rowId }) => !this.postponed.has(rowId));
    this.lanes.clear();
    this.firsts.clear();
    this.postponed.clear();
    this.out = [];
    this.queuedCount = this.heldCount = this.behindHeldCount = this.heldBytesCount = 0;
    return itsTurn;
  }

  private advance(lane: Lane): void {
    if (lane.first !== undefined) return;
    const [next] = lane.waiting;
    if (next === undefined) {
      this.lanes.delete(lane.key);
      return;
    }
    if (!this.mayGo(next)) return;
    this.count(lane, -1);
    lane.waiting.shift();
    lane.first = next.rowId;
    lane.firstBytes = next.bytes;
    this.firsts.set(next.rowId, lane);
    if (!this.postponed.delete(next.rowId)) {
      this.out.push(next);
    } else {
      this.hold(lane);
      this.someBecameHeld = true;
    }
  }

  private letGo(lane: Lane): void {
    this.unhold(lane);
    if (lane.first !== undefined) this.firsts.delete(lane.first);
    lane.first = undefined;
    lane.bytes -= lane.firstBytes;
    lane.firstBytes = 0;
  }

  private hold(lane: Lane): void {
    if (lane.isHeld) return;
    this.count(lane, -lane.waiting.length);
    lane.isHeld = true;
    this.count(lane, lane.waiting.length);
    this.heldCount++;
    this.heldBytesCount += lane.bytes;
  }

  private unhold(lane: Lane): void {
    if (!lane.isHeld) return;
    this.count(lane, -lane.waiting.length);
    lane.isHeld = false;
    this.count(lane, lane.waiting.length);
    this.heldCount--;
    this.heldBytesCount -= lane.bytes;
  }

  private count({ isHeld }: Lane, more: number): void {
    if (isHeld) this.behindHeldCount += more;
    else this.queuedCount += more;
  }

  /** Redrives come after all that was pending. */
  private mayGo({ entryId, isRedrive }: Message): boolean {
    if (this.bound === undefined) return true;
    return !isRedrive && compareEntryIds(entryId, this.bound) <= 0;
  }
}

/** Most often the end. An entry that another consumer was given earlier goes before those that came later. */
function placeIn(waiting: readonly Message[], { entryId, isRedrive }: Message): number {
  if (isRedrive) return waiting.length;
  let place = waiting.length;
  for (let at = waiting.length - 1; at >= 0; at--) {
    const other = waiting[at];
    if (other === undefined || other.isRedrive) continue;
    if (compareEntryIds(other.entryId, entryId) < 0) break;
    place = at;
  }
  return place;
}

/** Most often the front. A redrive stays ahead of the redrives that were behind it. */
function placeAgain(waiting: readonly Message[], message: Message): number {
  const redrive = waiting.findIndex(({ isRedrive }) => isRedrive);
  return message.isRedrive && redrive >= 0 ? redrive : placeIn(waiting, message);
}
