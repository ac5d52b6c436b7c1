import type { Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import { elapsedMs } from '../../redis/server/clocks.js';
import type { Message, UnreadableEntry } from '../message.js';
import type { DeliveryScripts, LeaseIdOf, Proof, Retry } from './delivery-scripts.js';

/** The part of a lease's life in which a handler may still be started under it. */
const SAFE_SHARE = 0.8;

/** Whether a message was reserved so recently that no other consumer can have its lease. */
export const hasSafeLease = ({ leasedAt }: Message, leaseMs: number, nowMs?: number): boolean =>
  leasedAt !== undefined && elapsedMs(leasedAt, nowMs) <= SAFE_SHARE * leaseMs;

/** A message that will not be tried again. */
export interface DeadMessage {
  readonly message: Message;
  readonly reason: string;
  readonly error: unknown;
  readonly attempts: number;
}

/**
 * How a group's messages are claimed and settled, one class for each mode: one script for each step, for many messages at once.
 * Each step can be sent again.
 */
export abstract class DeliveryMode {
  /** Whether failed messages are tried again. */
  abstract readonly triesAgain: boolean;
  /** Whether what was reserved and did not start can be given back. */
  abstract readonly canGiveBack: boolean;
  /** Whether an entry that is pending for a consumer that is gone counts as a run that did not finish. */
  abstract readonly countsPendingAsStarted: boolean;
  /** Whether what was read and not reserved has to be given back. The next owner of a partition claims it without that. */
  abstract readonly givesBackUnreserved: boolean;
  /** What the step that records a success is called in events. */
  abstract readonly successStep: 'commit' | 'release';
  /** What the step that gives back what did not start is called in events. */
  abstract readonly giveBackStep: 'hand-over' | 'put-back';

  constructor(
    protected readonly scripts: DeliveryScripts,
    protected readonly leaseIdOf: LeaseIdOf,
    /** What proves that a message that becomes a dead letter is ours. */
    private readonly proof: Proof,
    private readonly maxDeadLetters: number | undefined,
  ) {}

  /**
   * Whether a handler may still start under the reservation that the message has.
   *
   * @param nowMs the current `performance.now()`, if the caller has just read it
   */
  abstract isLive(message: Message, nowMs?: number): boolean;
  /** Whether nobody else can have it: at-most-once has acknowledged it, or it has left the dead letters. */
  abstract isOnlyOurs(message: Message): boolean;
  /** Whether its start has to be recorded before its handler is called. */
  abstract mustRecordStart(message: Message): boolean;

  abstract reserve(messages: readonly Message[]): Promise<Reservation[]>;
  /** Records that a message starts. `false`: another consumer has it. */
  abstract recordStart(message: Message): Promise<boolean>;
  /** Keeps messages ours. @returns for each whether it still is */
  abstract renew(messages: readonly Message[]): Promise<boolean[]>;
  abstract commit(messages: readonly Message[]): Promise<unknown>;
  /** Counts the attempts, and says when the next ones are due. @returns for each `false` if another consumer has it */
  abstract putOff(retries: readonly Retry[]): Promise<readonly boolean[]>;
  /** Counts an attempt of a message that stays in its slot. `false`: another consumer has it. */
  abstract countAttempt(message: Message): Promise<boolean>;

  /** What Redis's clock showed in the last answer, in ms; undefined if that is not known. */
  get shownMs(): number | undefined {
    return this.scripts.shownMs;
  }

  /** Lets another member have what did not start. @returns for each whether that was possible */
  async giveBack(messages: readonly Message[]): Promise<readonly boolean[]> {
    await this.giveBackUnreserved(messages);
    return messages.map(() => true);
  }

  /** Lets another member have what was read and not reserved. */
  giveBackUnreserved(messages: readonly Message[]): Promise<unknown> {
    return this.scripts.handOver(messages, this.leaseIdOf);
  }

  /** @param isShort whether what is large is left out: Redis has refused the whole of it */
  deadLetter(dead: DeadMessage, isShort = false): Promise<unknown> {
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
      ...this.proof,
      maxLength: this.maxDeadLetters,
      isShort,
    });
  }

  /** Nothing of the entry is left: it was deleted while it was pending. */
  acknowledgeDeleted(rowId: string): Promise<unknown> {
    return this.scripts.acknowledgeDeleted(rowId);
  }

  deadLetterUnreadable(entry: UnreadableEntry, isShort: boolean): Promise<unknown> {
    return this.scripts.deadLetterUnreadable(entry, this.maxDeadLetters, isShort);
  }
}
