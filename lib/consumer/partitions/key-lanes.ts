import type { laneKeyFor } from '../../codec/lane-key.js';
import { isRedrive } from '../../keys/redrive-member.js';
import { compareEntryIds } from '../../redis/entry-id.js';
import type { StreamMessage } from '../stream-message.js';

interface Lane {
  readonly key: string;
  /** What stands for the one that is under way, or waits for its next attempt; nothing starts before it is through. */
  first: string | undefined;
  /** In their order. */
  readonly waiting: StreamMessage[];
}

/**
 * Messages of one key run one after the other, in the order of their entries; those of different keys do not wait for
 * each other. Of each key one message is let out at a time: the next one once that is settled, so that a crash repeats no
 * more than one.
 */
export class KeyLanes {
  private readonly lanes = new Map<string, Lane>();
  /** By what stands for the first of each. */
  private readonly firsts = new Map<string, Lane>();
  /** Of the first ones, those that wait for their time. */
  private readonly held = new Set<string>();
  /** Of the waiting ones, those that will wait for their time. */
  private readonly putOff = new Set<string>();
  private out: StreamMessage[] = [];
  private waitingCount = 0;
  private someBecameHeld = false;
  /** How far entries may be let out; nothing where there is no bound. */
  private bound: string | undefined = '0-0';

  /** @param keyOf by what messages are kept in order */
  constructor(private readonly keyOf: ReturnType<typeof laneKeyFor>) {}

  /** How many messages wait, for their turn or for their time. */
  get waiting(): number {
    return this.waitingCount + this.held.size;
  }

  /** Whether a message was let out and is not through. */
  get isMoving(): boolean {
    return this.out.length > 0 || this.firsts.size > this.held.size;
  }

  /** Whether messages wait, and none moves, since something that was pending may have to be before them. */
  get isStuck(): boolean {
    return !this.isMoving && this.lanes.size > this.firsts.size;
  }

  /** What waits for its time, and would be let out then. */
  get heldBack(): readonly string[] {
    return [...this.held];
  }

  isHeldBack(entryId: string): boolean {
    return this.held.has(entryId);
  }

  /** @param waits whether its time is yet to come, so that it holds back its key */
  add(message: StreamMessage, waits = false): void {
    const key = this.keyOf(message.envelope, message.messageId);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { key, first: undefined, waiting: [] };
      this.lanes.set(key, lane);
    }
    if (waits) this.putOff.add(message.entryId);
    lane.waiting.splice(placeIn(lane.waiting, message), 0, message);
    this.waitingCount++;
    this.advance(lane);
  }

  /** What may run now, in the order in which it came. */
  takeOut(most: number): StreamMessage[] {
    return this.out.splice(0, most);
  }

  /** It is settled, or not ours any more: the next of its key may be let out. */
  through(entryId: string): void {
    const lane = this.firsts.get(entryId);
    if (lane === undefined) return;
    this.firsts.delete(entryId);
    this.held.delete(entryId);
    lane.first = undefined;
    this.advance(lane);
  }

  /** It waits for its next attempt, and its key with it. */
  holdBack(entryId: string): void {
    if (this.firsts.has(entryId)) this.held.add(entryId);
  }

  /** The time of one that was held back has come. */
  again(message: StreamMessage): void {
    if (this.held.delete(message.entryId)) this.out.push(message);
  }

  /** The time of one that waits for its turn has come before that. */
  isDue(entryId: string): void {
    this.putOff.delete(entryId);
  }

  /** Whether, since this was asked last, it became some message's turn whose time is to come, or may have come by now. */
  takeLook(): boolean {
    const were = this.someBecameHeld;
    this.someBecameHeld = false;
    return were;
  }

  /** They were let out and did not start: each is the next of its key again. */
  putBack(messages: readonly StreamMessage[]): void {
    for (const message of messages) {
      const lane = this.firsts.get(message.entryId);
      if (lane === undefined) continue;
      this.firsts.delete(message.entryId);
      lane.first = undefined;
      lane.waiting.unshift(message);
      this.waitingCount++;
      this.advance(lane);
    }
  }

  /** Lets nothing out for now: something may come that has to be before it. */
  shut(): void {
    this.bound = '0-0';
    this.putBack(this.takeOut(this.out.length));
  }

  /** Lets out what comes before an entry; all there is where none is named. */
  open(bound?: string): void {
    this.bound = bound;
    for (const lane of this.lanes.values()) this.advance(lane);
  }

  /** Forgets all, and gives back what waited for its turn. */
  clear(): StreamMessage[] {
    const waiting = [...this.out, ...[...this.lanes.values()].flatMap((lane) => lane.waiting)];
    this.lanes.clear();
    this.firsts.clear();
    this.held.clear();
    this.out = [];
    this.waitingCount = 0;
    const itsTurn = waiting.filter(({ entryId }) => !this.putOff.has(entryId));
    this.putOff.clear();
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
    lane.waiting.shift();
    this.waitingCount--;
    lane.first = next.entryId;
    this.firsts.set(next.entryId, lane);
    if (!this.putOff.delete(next.entryId)) this.out.push(next);
    else {
      this.held.add(next.entryId);
      this.someBecameHeld = true;
    }
  }

  private mayGo({ entryId }: StreamMessage): boolean {
    if (this.bound === undefined) return true;
    return !isRedrive(entryId) && compareEntryIds(entryId, this.bound) <= 0;
  }
}

/** Most often the end. An entry that was given to another before comes before those that were given later. */
function placeIn(waiting: readonly StreamMessage[], { entryId }: StreamMessage): number {
  if (isRedrive(entryId)) return waiting.length;
  let place = waiting.length;
  for (let at = waiting.length - 1; at >= 0; at--) {
    const other = waiting[at]?.entryId ?? '';
    if (isRedrive(other)) continue;
    if (compareEntryIds(other, entryId) < 0) break;
    place = at;
  }
  return place;
}
