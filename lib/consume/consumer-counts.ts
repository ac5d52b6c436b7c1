/** What this process did with messages since it started. */
export interface ConsumerCounts {
  /** All handlers succeeded. */
  handled: number;
  /** A handler failed. */
  failed: number;
  /** Of these: put off for another attempt. */
  retried: number;
  /** Found in the ledger, and not run. */
  duplicate: number;
  /** Made a dead letter. */
  deadLettered: number;
  /** Wanted by no handler: acknowledged, or made a dead letter. */
  unhandled: number;
  /** Requests that nobody waited for any longer: not run, or ended. */
  abandoned: number;
  /** Deleted from the stream before they were handled. */
  lost: number;
}

export const noCounts = (): ConsumerCounts => ({
  handled: 0,
  failed: 0,
  retried: 0,
  duplicate: 0,
  deadLettered: 0,
  unhandled: 0,
  abandoned: 0,
  lost: 0,
});
