import type { Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import type { Message } from '../message.js';
import { byMessageId, byRowId, type DeliveryScripts, type LeaseIdOf } from './delivery-scripts.js';
import { DeliveryMode } from './mode.js';

/** A message is acknowledged before its handlers run. If they fail, it becomes a dead letter. */
abstract class AtMostOnce extends DeliveryMode {
  readonly triesAgain = false;
  readonly countsPendingAsStarted = false;
  readonly successStep = 'release';

  constructor(
    scripts: DeliveryScripts,
    /** The ledger's window; 0 if there is no ledger. */
    protected readonly windowMs: number,
    leaseIdOf: LeaseIdOf,
    maxDeadLetters: number | undefined,
  ) {
    const proof = { fence: 'acknowledged', inLedger: windowMs > 0 } as const;
    super(scripts, leaseIdOf, proof, maxDeadLetters);
  }

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
    const { windowMs, leaseIdOf } = this;
    if (windowMs === 0) return this.scripts.reserveWithoutLedger(messages, true);
    return this.scripts.reserve(messages, { windowMs, mode: 'recorded', leaseIdOf });
  }

  renew(messages: readonly Message[]): Promise<boolean[]> {
    return Promise.resolve(messages.map(() => true));
  }

  override giveBack(messages: readonly Message[]): Promise<readonly boolean[]> {
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
}
