import type { RawFields } from '../wire/codec.js';
import type { MessageEnvelope } from '../wire/envelope.js';
import type { RequestFields } from '../wire/request-fields.js';
import type { LeaseMoment } from '../redis/server/lease-clock.js';
import type { RunReplies } from '../requests/replier.js';
import type { RunSignal } from './handlers/run-signal.js';
import type { Verdict } from './verdict.js';

/** An entry that was read and decoded: what goes through the pipeline. */
export interface StreamMessage {
  /** What stands for it in Redis: the ID of its entry, or `dead-letter:<id>` where it is a redrive. */
  readonly entryId: string;
  /** The ID of its entry, also where that is a dead letter now. */
  readonly originalEntryId: string;
  /** The original entry ID where the producer gave none. */
  readonly messageId: string;
  readonly envelope: MessageEnvelope;
  /** The entry's fields as they were read; those of a redrive without what made it a dead letter. */
  readonly fields: RawFields;
  /** Whether Redis has just given it out for the first time. */
  readonly isNew?: boolean;
  /** What Redis's clock showed before that, in ms; nothing where it is not known. */
  readonly givenSinceMs?: number | undefined;
  /** Which partition of its stream it is in, where that has some. */
  partition?: number;
  /** What makes it a request; nothing where it is an event. */
  readonly request?: RequestFields | undefined;
  /** Which attempt its run is, from 1; known once it is reserved. */
  attempt: number;
  /** Whether nothing else may run in this process meanwhile; known once it is reserved. */
  alone: boolean;
  /** When its lease was last asked for and given; nothing before it was reserved. */
  leasedAt?: LeaseMoment;
  /** Whether at-most-once has begun this redrive: nobody else can have it any more. */
  startedOnce?: boolean;
  /** When at-most-once wrote it into the ledger, in ms by Redis's clock: what says that this run has it. */
  recordedMs?: number;
  /** When its next attempt is due, by `performance.now()`; nothing if it never had to wait for one in its slot. */
  dueAt?: number;
  /** The replies of its latest run here, where it is a request. */
  replies?: RunReplies;
  /** How long its last run took here, in ms. */
  ranMs?: number;
  /** From publishing to that run, in ms; of a first attempt, and where Redis's clock is known. */
  waitedMs?: number | undefined;
}

/** What is known of entries that Redis has just given out for the first time. */
export interface AsNew {
  /** What Redis's clock showed before that, in ms; nothing where it is not known. */
  readonly sinceMs: number | undefined;
}

/** Runs all handlers that want a message; never rejects. */
export type Invoke = (message: StreamMessage, signal: RunSignal) => Promise<Verdict>;
