import type { EntryFields } from '../wire/codec.js';
import type { PublishError } from '../errors/client.errors.js';
import type { StreamLimits } from '../options/resolved-options.js';
import type { PublishReceipt } from './publish-receipt.js';

/** A message on its way to Redis. */
export interface Publishing {
  readonly stream: string;
  /** The stream's key, or that of its partition. */
  readonly key: string;
  readonly messageId: string;
  /** Whether the ID was made for this call. */
  readonly idIsNew: boolean;
  readonly fields: EntryFields;
  /** When it is to be published, as the script wants it: `+` and ms from then on, or ms since 1970. At once where not set. */
  readonly due?: string | undefined;
  /** What is dropped of the stream with it. */
  readonly limits: StreamLimits | undefined;
}

/** What became of a message. */
export type PublishOutcome = PublishReceipt | PublishError;

/** Sends messages, those of one stream in the order of their calls. */
export interface Publisher {
  /** Whether it is being closed, so that nothing more is to be given to it. */
  readonly isClosing: boolean;
  /** @throws PublishError where Redis refused, or nothing certain is known in time */
  publish(message: Publishing): Promise<PublishReceipt>;
  /** Sends messages of one stream in one write. Never rejects: it says what became of each, in their order. */
  publishAll(messages: readonly Publishing[]): Promise<PublishOutcome[]>;
  /** Waits for the answers to what was sent; what was not sent fails. */
  close(): Promise<void>;
}

/** Waits for what becomes of `count` messages. */
export function outcomesOf(
  count: number,
  begin: (settle: (index: number, outcome: PublishOutcome) => void) => void,
): Promise<PublishOutcome[]> {
  return new Promise((resolve) => {
    const outcomes = Array.from<PublishOutcome>({ length: count });
    let open = count;
    begin((index, outcome) => {
      outcomes[index] = outcome;
      if (--open === 0) resolve(outcomes);
    });
  });
}
