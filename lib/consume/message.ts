import type { Reservation } from '../redis/scripts/reserve/reserve.script.js';
import type { LocalMoment } from '../redis/server/clocks.js';
import type { RunReplies } from '../requests/run-replies.js';
import type { MessageEnvelope, RawFields } from '../wire/codec.js';
import type { EntryId, MessageId, RowId } from '../wire/ids.js';
import type { RequestFields } from '../wire/request-reply-fields.js';

/** An entry, or a dead letter that runs again, which was read and decoded: what goes through the pipeline. */
export interface Message {
  readonly rowId: RowId;
  /** The ID of its entry. The entry of a redrive may be deleted by now. */
  readonly entryId: EntryId;
  readonly messageId: MessageId;
  /** Whether it is a dead letter that runs again. It has no pending entry. */
  readonly isRedrive: boolean;
  readonly envelope: MessageEnvelope;
  /** The fields of its entry as they were read. A redrive has them without those that made it a dead letter. */
  readonly fields: RawFields;
  /** The bytes of its entry, as they were read. */
  readonly bytes: number;
  /** What makes it a request; undefined if it is an event. */
  readonly request: RequestFields | undefined;
  /** Whether Redis has just given it out for the first time. */
  readonly isNew: boolean;
  /** What Redis's clock showed before that, in ms; undefined if that is not known. */
  readonly givenSinceMs: number | undefined;
  /** The number of its partition; undefined if its stream has none. */
  readonly partition: number | undefined;

  /** What Redis answered when it was last reserved; undefined before that, and if it is not known. */
  reservation: Reservation['kind'] | 'refused' | undefined;
  /** What Redis refused to do with it, for good. */
  refusal?: Error | undefined;
  /** The number of its run, from 1; known once it is reserved. */
  attempt: number;
  /** Whether nothing else may run in this process meanwhile; known once it is reserved. */
  runsAlone: boolean;
  /** When its lease was last asked for and given; undefined before it was reserved. */
  leasedAt?: LocalMoment;
  /** Whether this redrive has left the dead letters (at-most-once). Nobody else can have it any more. */
  hasLeftDeadLetters?: boolean;
  /** When at-most-once wrote it into the ledger, in ms by Redis's clock: proof that this run owns it. */
  recordedMs?: number;
  /** When its next attempt is due, by `performance.now()`; undefined if it never waited for one in its slot. */
  dueAt?: number;
  /** The replies of its latest run here, if it is a request. */
  replies?: RunReplies;
  /** When it was last asked whether the caller of this request still waits, by `performance.now()`. */
  callerAskedAt?: number;
  /** Whether the caller of this request was found to have left. */
  callerHasLeft?: boolean;
  /** How long its last run took here, in ms. */
  ranMs?: number;
  /** From publishing to its first attempt, in ms; undefined for later attempts, and if Redis's clock is not known. */
  waitedMs?: number | undefined;
}

/** What became of reading an entry that cannot be run. */
export interface UnreadableEntry {
  readonly rowId: RowId;
  readonly entryId: EntryId;
  readonly isRedrive: boolean;
  readonly fields: RawFields;
  readonly bytes: number;
  readonly reason: string;
  readonly error: unknown;
  /** What Redis refused to do with it, for good. */
  refusal?: Error | undefined;
}

/** The rows of what this consumer has read of a stream and not settled. No source may bring one of them again. */
export class InHand {
  /** The bytes of each. */
  private readonly rows = new Map<string, number>();
  private allBytes = 0;

  /** The bytes of all of them, including those that run. */
  get bytes(): number {
    return this.allBytes;
  }

  get size(): number {
    return this.rows.size;
  }

  has(rowId: string): boolean {
    return this.rows.has(rowId);
  }

  add(rowId: string, bytes: number): void {
    this.allBytes += bytes - (this.rows.get(rowId) ?? 0);
    this.rows.set(rowId, bytes);
  }

  remove(rowId: string): void {
    this.allBytes -= this.rows.get(rowId) ?? 0;
    this.rows.delete(rowId);
  }

  /** What is in hand now: an answer that is on its way may still list what is settled meanwhile. */
  snapshot(): ReadonlySet<string> {
    return new Set(this.rows.keys());
  }
}
