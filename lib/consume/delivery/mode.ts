import type { Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import { elapsedMs } from '../../redis/server/clocks.js';
import type { LeaseId } from '../../wire/ids.js';
import type { Message, UnreadableEntry } from '../message.js';

/** The part of a lease's life in which a handler may still be started under it. */
const SAFE_SHARE = 0.8;

/** Whether a message was reserved so recently that no other consumer can have its lease. */
export const hasSafeLease = ({ leasedAt }: Message, leaseMs: number): boolean =>
  leasedAt !== undefined && elapsedMs(leasedAt) <= SAFE_SHARE * leaseMs;

/** Under what the lease of a message is kept. */
export type LeaseIdOf = (message: Pick<Message, 'rowId' | 'messageId'>) => LeaseId;

/** One lease for each message ID: two entries with the same ID do not run at the same time. */
export const byMessageId: LeaseIdOf = ({ messageId }) => messageId as string as LeaseId;

/** Without a ledger one message ID may run twice: a redrive must not meet the lease of another. */
export const byRowId: LeaseIdOf = ({ rowId }) => rowId as string as LeaseId;

/** A message that failed, and when its next attempt is due. */
export interface Retry {
  readonly message: Message;
  readonly delayMs: number;
}

/** A message that will not be tried again. */
export interface DeadMessage {
  readonly message: Message;
  readonly reason: string;
  readonly error: unknown;
  readonly attempts: number;
}

/**
 * How a group's messages are claimed and settled, one implementation for each mode: one script for each step, for many messages
 * at once. Each step can be sent again.
 */
export interface DeliveryMode {
  /** Whether failed messages are tried again. */
  readonly triesAgain: boolean;
  /** Whether what was reserved and did not start can be given back. */
  readonly canGiveBack: boolean;
  /** Whether an entry that is pending for a consumer that is gone counts as a run that did not finish. */
  readonly countsPendingAsStarted: boolean;
  /** Whether what was read and not reserved has to be given back. The next owner of a partition claims it without that. */
  readonly givesBackUnreserved: boolean;
  /** What the step that records a success is called in events. */
  readonly successStep: 'commit' | 'release';
  /** What the step that gives back what did not start is called in events. */
  readonly giveBackStep: 'hand-over' | 'put-back';
  /** What Redis's clock showed in the last answer, in ms; undefined if that is not known. */
  readonly shownMs: number | undefined;

  /** Whether a handler may still start under the reservation that the message has. */
  isLive(message: Message): boolean;
  /** Whether nobody else can have it: at-most-once has acknowledged it, or it has left the dead letters. */
  isOnlyOurs(message: Message): boolean;
  /** Whether its start has to be recorded before its handler is called. */
  mustRecordStart(message: Message): boolean;

  reserve(messages: readonly Message[]): Promise<Reservation[]>;
  /** Records that a message starts. `false`: another consumer has it. */
  recordStart(message: Message): Promise<boolean>;
  /** Keeps messages ours. @returns for each whether it still is */
  renew(messages: readonly Message[]): Promise<boolean[]>;
  commit(messages: readonly Message[]): Promise<unknown>;
  /** Counts the attempts, and says when the next ones are due. @returns for each `false` if another consumer has it */
  putOff(retries: readonly Retry[]): Promise<readonly boolean[]>;
  /** Counts an attempt of a message that stays in its slot. `false`: another consumer has it. */
  countAttempt(message: Message): Promise<boolean>;
  /** Lets another member have what did not start. @returns for each whether that was possible */
  giveBack(messages: readonly Message[]): Promise<readonly boolean[]>;
  /** Lets another member have what was read and not reserved. */
  giveBackUnreserved(messages: readonly Message[]): Promise<unknown>;
  deadLetter(dead: DeadMessage): Promise<unknown>;
  /** Nothing of the entry is left: it was deleted while it was pending. */
  acknowledgeDeleted(rowId: string): Promise<unknown>;
  deadLetterUnreadable(entry: UnreadableEntry): Promise<unknown>;
}
