import type { MessageEnvelope } from '../codec/envelope.js';
import type { LeaseMoment } from './lease-clock.js';
import type { RunSignal } from './run-signal.js';

/** An entry that was read and decoded: what goes through the pipeline. */
export interface StreamMessage {
  readonly entryId: string;
  /** The entry ID where the producer gave none. */
  readonly messageId: string;
  readonly envelope: MessageEnvelope;
  /** When its lease was last asked for and given; nothing before it was reserved. */
  leasedAt?: LeaseMoment;
}

/** How a run of a message's handlers ended. */
export type Outcome = 'handled' | 'failed';

/** Runs all handlers of a message, one after the other; never rejects. */
export type Invoke = (message: StreamMessage, signal: RunSignal) => Promise<Outcome>;
