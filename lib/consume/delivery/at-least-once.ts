import { FIRST, type Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import type { Message } from '../message.js';
import {
  byMessageId,
  byRowId,
  type DeliveryScripts,
  type LeaseIdOf,
  type Retry,
} from './delivery-scripts.js';
import { DeliveryMode, hasSafeLease } from './mode.js';

/** What proves that a message is ours, and where its success is recorded. */
interface Claim {
  readonly leaseIdOf: LeaseIdOf;
  /** If not, scripts check that the entry is pending for this consumer. */
  readonly hasLease: boolean;
  readonly hasLedger: boolean;
}

/** A message is acknowledged after its handlers succeeded, and tried again if they fail. */
abstract class AtLeastOnce extends DeliveryMode {
  readonly triesAgain = true;
  readonly canGiveBack = true;
  readonly successStep = 'commit';
  readonly giveBackStep = 'hand-over';

  constructor(
    scripts: DeliveryScripts,
    protected readonly claim: Claim,
    maxDeadLetters: number | undefined,
  ) {
    const { leaseIdOf, hasLease } = claim;
    const fence = hasLease ? 'lease' : 'pending';
    super(scripts, leaseIdOf, { fence, inLedger: false }, maxDeadLetters);
  }

  /** In a partition the gate of its ownership decides that. */
  isLive(message: Message, nowMs?: number): boolean {
    const { isPartition, place } = this.scripts;
    return isPartition || hasSafeLease(message, place.leaseMs, nowMs);
  }

  isOnlyOurs(): boolean {
    return false;
  }

  mustRecordStart({ runsAlone }: Message): boolean {
    return runsAlone;
  }

  recordStart(message: Message): Promise<boolean> {
    const { leaseIdOf, hasLease } = this.claim;
    return this.scripts.startAlone(message, leaseIdOf(message), hasLease);
  }

  renew(messages: readonly Message[]): Promise<boolean[]> {
    const { leaseIdOf, hasLedger } = this.claim;
    return this.scripts.renew(messages, leaseIdOf, hasLedger);
  }

  commit(messages: readonly Message[]): Promise<unknown> {
    return this.scripts.commit(messages, this.claim.hasLedger);
  }

  putOff(retries: readonly Retry[]): Promise<readonly boolean[]> {
    return this.scripts.scheduleRetries(retries, this.claim);
  }

  async countAttempt(message: Message): Promise<boolean> {
    const { leaseMs } = this.scripts.place;
    const retries = [{ message, delayMs: 0 }];
    const [isKept] = await this.scripts.scheduleRetries(retries, this.claim, leaseMs);
    return isKept === true;
  }
}

/** With a ledger: a message runs under a lease, and one step records its success and acknowledges its entry. */
export class Leased extends AtLeastOnce {
  /** Leases tell which entries have started. */
  readonly countsPendingAsStarted = false;

  constructor(
    scripts: DeliveryScripts,
    private readonly windowMs: number,
    maxDeadLetters: number | undefined,
  ) {
    super(scripts, { leaseIdOf: byMessageId, hasLease: true, hasLedger: true }, maxDeadLetters);
  }

  get givesBackUnreserved(): boolean {
    return !this.scripts.isPartition;
  }

  reserve(messages: readonly Message[]): Promise<Reservation[]> {
    const { windowMs, leaseIdOf } = this;
    return this.scripts.reserve(messages, { windowMs, mode: 'leased', leaseIdOf });
  }
}

/** Without a ledger: that an entry is pending for this consumer is all that makes it ours. */
export class PendingOnly extends AtLeastOnce {
  readonly countsPendingAsStarted = true;
  /** What is pending counts as started unless it is given back. */
  readonly givesBackUnreserved = true;

  constructor(scripts: DeliveryScripts, maxDeadLetters: number | undefined) {
    super(scripts, { leaseIdOf: byMessageId, hasLease: false, hasLedger: false }, maxDeadLetters);
  }

  override isLive(): boolean {
    return true;
  }

  async reserve(messages: readonly Message[]): Promise<Reservation[]> {
    // A new entry is pending for this consumer, and nothing else is to know. Its position is noted when it is settled.
    if (!this.scripts.isPartition && messages.every(({ isNew }) => isNew)) {
      return messages.map(() => FIRST);
    }
    return this.scripts.reserveWithoutLedger(messages, false);
  }
}

/** Dead letters that run again: they have no pending entry, so they have a lease in every mode. */
export class Redrives extends AtLeastOnce {
  readonly countsPendingAsStarted = false;
  readonly givesBackUnreserved = true;

  /** @param windowMs of the ledger; 0 if there is none */
  constructor(
    scripts: DeliveryScripts,
    private readonly windowMs: number,
    maxDeadLetters: number | undefined,
  ) {
    const leaseIdOf = windowMs === 0 ? byRowId : byMessageId;
    super(scripts, { leaseIdOf, hasLease: true, hasLedger: windowMs > 0 }, maxDeadLetters);
  }

  reserve(messages: readonly Message[]): Promise<Reservation[]> {
    const { windowMs, leaseIdOf } = this;
    return this.scripts.reserve(messages, { windowMs, mode: 'redrives', leaseIdOf });
  }

  override commit(messages: readonly Message[]): Promise<unknown> {
    return this.scripts.commitRedrives(messages, this.leaseIdOf, this.claim.hasLedger);
  }
}
