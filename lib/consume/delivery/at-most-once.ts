import type { Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import type { Message, UnreadableEntry } from '../message.js';
import type { DeliveryScripts } from './delivery-scripts.js';
import {
  byMessageId,
  byRowId,
  type DeadMessage,
  type DeliveryMode,
  type LeaseIdOf,
} from './mode.js';

/** A message is acknowledged before its handlers run. If they fail, it becomes a dead letter. */
abstract class AtMostOnce implements DeliveryMode {
  readonly triesAgain = false;
  readonly countsPendingAsStarted = false;
  readonly successStep = 'release';
  abstract readonly canGiveBack: boolean;
  abstract readonly givesBackUnreserved: boolean;
  abstract readonly giveBackStep: 'hand-over' | 'put-back';

  constructor(
    protected readonly scripts: DeliveryScripts,
    /** The ledger's window; 0 if there is no ledger. */
    protected readonly windowMs: number,
    protected readonly leaseIdOf: LeaseIdOf,
    private readonly maxDeadLetters: number | undefined,
  ) {}

  get shownMs(): number | undefined {
    return this.scripts.shownMs;
  }

  abstract isOnlyOurs(message: Message): boolean;
  abstract mustRecordStart(message: Message): boolean;
  abstract recordStart(message: Message): Promise<boolean>;
  abstract reserve(messages: readonly Message[]): Promise<Reservation[]>;
  abstract renew(messages: readonly Message[]): Promise<boolean[]>;
  abstract giveBack(messages: readonly Message[]): Promise<readonly boolean[]>;

  /** Nobody else can have what is acknowledged, however long it waits. */
  isLive(): boolean {
    return true;
  }

  /** All was recorded before the run. */
  async commit(): Promise<void> {}

  /** Nothing is tried again. */
  putOff(): Promise<readonly boolean[]> {
    return Promise.resolve([]);
  }

  countAttempt(): Promise<boolean> {
    return Promise.resolve(true);
  }

  giveBackUnreserved(messages: readonly Message[]): Promise<unknown> {
    return this.scripts.handOver(messages, this.leaseIdOf);
  }

  deadLetter(dead: DeadMessage): Promise<unknown> {
    const { message, reason, error, attempts } = dead;
    const { rowId, entryId, fields } = message;
    return this.scripts.deadLetter(dead, {
      rowId,
      leaseId: this.leaseIdOf(message),
      entryId,
      fields,
      reason,
      error,
      attempts,
      inLedger: this.windowMs > 0,
      fence: 'acknowledged',
      maxLength: this.maxDeadLetters,
    });
  }

  acknowledgeDeleted(rowId: string): Promise<unknown> {
    return this.scripts.acknowledgeDeleted(rowId);
  }

  deadLetterUnreadable(entry: UnreadableEntry): Promise<unknown> {
    return this.scripts.deadLetterUnreadable(entry, this.maxDeadLetters);
  }
}

/** Entries are recorded in the ledger, if there is one, and acknowledged in one step, before their handlers run. */
export class RecordedFirst extends AtMostOnce {
  readonly giveBackStep = 'put-back';

  constructor(scripts: DeliveryScripts, windowMs: number, maxDeadLetters: number | undefined) {
    super(scripts, windowMs, byMessageId, maxDeadLetters);
  }

  /** Without a ledger nothing tells that an entry has not run, so there is no way back. */
  get canGiveBack(): boolean {
    return this.windowMs > 0;
  }

  get givesBackUnreserved(): boolean {
    return !this.scripts.isPartition;
  }

  isOnlyOurs(): boolean {
    return true;
  }

  mustRecordStart(): boolean {
    return false;
  }

  recordStart(): Promise<boolean> {
    return Promise.resolve(true);
  }

  reserve(messages: readonly Message[]): Promise<Reservation[]> {
    const { windowMs } = this;
    if (windowMs === 0) return this.scripts.reserveWithoutLedger(messages, true);
    return this.scripts.reserve(messages, { windowMs, mode: 'recorded', leaseIdOf: byMessageId });
  }

  renew(messages: readonly Message[]): Promise<boolean[]> {
    return Promise.resolve(messages.map(() => true));
  }

  giveBack(messages: readonly Message[]): Promise<readonly boolean[]> {
    if (!this.canGiveBack) return Promise.resolve(messages.map(() => false));
    return this.scripts.putBack(messages);
  }
}

/** Dead letters that run again, once: each stays a dead letter until its handler starts, and is leased until then. */
export class RedrivesOnce extends AtMostOnce {
  readonly canGiveBack = true;
  readonly givesBackUnreserved = true;
  readonly giveBackStep = 'hand-over';

  constructor(scripts: DeliveryScripts, windowMs: number, maxDeadLetters: number | undefined) {
    super(scripts, windowMs, windowMs === 0 ? byRowId : byMessageId, maxDeadLetters);
  }

  isOnlyOurs({ hasLeftDeadLetters }: Message): boolean {
    return hasLeftDeadLetters === true;
  }

  mustRecordStart(): boolean {
    return true;
  }

  async recordStart(message: Message): Promise<boolean> {
    const leaseId = this.leaseIdOf(message);
    const isOurs = await this.scripts.startRedrive(message, leaseId, this.windowMs > 0);
    // From then on it has to run, even if the consumer closes.
    if (isOurs) message.hasLeftDeadLetters = true;
    return isOurs;
  }

  reserve(messages: readonly Message[]): Promise<Reservation[]> {
    const { windowMs, leaseIdOf } = this;
    return this.scripts.reserve(messages, { windowMs, mode: 'redrives-once', leaseIdOf });
  }

  async renew(messages: readonly Message[]): Promise<boolean[]> {
    const leased = messages.filter((message) => !this.isOnlyOurs(message));
    if (leased.length === 0) return messages.map(() => true);
    const kept = await this.scripts.renew(leased, this.leaseIdOf, this.windowMs > 0);
    return messages.map((message) => {
      const at = leased.indexOf(message);
      return at < 0 || kept[at] === true;
    });
  }

  async giveBack(messages: readonly Message[]): Promise<readonly boolean[]> {
    await this.giveBackUnreserved(messages);
    return messages.map(() => true);
  }
}
