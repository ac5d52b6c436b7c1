/** What `emit()` gives once Redis has the message. */
export interface PublishReceipt {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  /** The ID that Redis gave the entry; `null` where the message waits to be published later, and has none yet. */
  readonly entryId: string | null;
  /** The ID of the message: its producer's, or a UUID made at the call. */
  readonly messageId: string;
  /** Whether a message of this ID was published before, or waits to be, so that this one was not written. */
  readonly duplicate: boolean;
}
