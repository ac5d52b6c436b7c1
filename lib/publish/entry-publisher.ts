import type { PublishError } from '../errors/client.errors.js';
import type { StreamLimits } from '../options/resolved-options.js';
import type { EntryFields } from '../wire/codec.js';

/** A message that is encoded and ready to be written. */
export interface OutgoingEntry {
  readonly stream: string;
  /** The key of the stream, or of its partition. */
  readonly key: string;
  readonly messageId: string;
  /** Whether the ID was generated for this call. */
  readonly idIsNew: boolean;
  readonly fields: EntryFields;
  /** When to publish it, as the script takes it: `+` and a delay in ms, or ms since 1970. `undefined`: at once. */
  readonly due: string | undefined;
  /** How much of the stream to keep. */
  readonly limits: StreamLimits | undefined;
}

/** What `emit()` gives once Redis has the message. */
export interface PublishReceipt {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  /** The ID that Redis gave the entry; `null` if the message waits to be published later, and has none yet. */
  readonly entryId: string | null;
  /** The ID of the message: its producer's, or a UUID made at the call. */
  readonly messageId: string;
  /** Whether a message with this ID was published before, or waits to be, so that this one was not written. */
  readonly duplicate: boolean;
}

/** What happened to an entry. */
export type PublishOutcome = PublishReceipt | PublishError;

/** Writes entries to Redis, those of one stream in the order of the calls. */
export interface EntryPublisher {
  /** Whether `close()` was called: nothing more may be published. */
  readonly isClosing: boolean;
  /** @throws PublishError if Redis refused, or did not answer in time */
  publish(entry: OutgoingEntry): Promise<PublishReceipt>;
  /** Sends entries of one stream in one write. Never rejects. Returns an outcome for each, in their order. */
  publishAll(entries: readonly OutgoingEntry[]): Promise<PublishOutcome[]>;
  /** Waits for the answers to what was sent. What was not sent fails. */
  close(): Promise<void>;
}

/** Collects the outcomes of `count` entries. */
export function collectOutcomes(
  count: number,
  start: (settle: (index: number, outcome: PublishOutcome) => void) => void,
): Promise<PublishOutcome[]> {
  return new Promise((resolve) => {
    const outcomes = Array.from<PublishOutcome>({ length: count });
    let open = count;
    start((index, outcome) => {
      outcomes[index] = outcome;
      if (--open === 0) resolve(outcomes);
    });
  });
}
