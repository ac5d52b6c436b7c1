import type { EntryFields } from '../codec/codec.js';
import type { PublishReceipt } from './publish-receipt.js';

/** A message on its way to Redis. */
export interface Publishing {
  readonly stream: string;
  /** The stream's key. */
  readonly key: string;
  readonly messageId: string;
  /** Whether the ID was made for this call. */
  readonly idIsNew: boolean;
  readonly fields: EntryFields;
}

/** Sends messages, those of one stream in the order of their calls. */
export interface Publisher {
  /** @throws PublishError where Redis refused, or nothing certain is known in time */
  publish(message: Publishing): Promise<PublishReceipt>;
  /** Waits for the answers to what was sent; what was not sent fails. */
  close(): Promise<void>;
}
