/** What this process did with messages since it started. */
export interface ConsumerCounts {
  /** All handlers succeeded. */
  handled: number;
  /** A handler failed. */
  failed: number;
  /** Found in the ledger, and not run. */
  duplicate: number;
  /** Deleted from the stream before they were handled. */
  lost: number;
}
