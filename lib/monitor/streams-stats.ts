/** What {@link StreamsMonitor} says of this process. */
export interface StreamsStats {
  readonly group: string;
  readonly consumer: string;
  /** The streams that are read. */
  readonly streams: readonly string[];
  /** How many of them there are. */
  readonly subscriptions: number;
  /** The window of the server's `dedup`, in ms; `false` where it is off. */
  readonly dedupWindowMs: number | false;
  /** When this instance last maintained the ledgers; nothing before the first time. */
  readonly lastLedgerMaintenanceAt: Date | undefined;
  /** Whether the jobs are scheduled. */
  readonly maintenanceScheduled: boolean;
  /** How many messages are being handled now. */
  readonly inFlight: number;
  /** What became of messages since the server began to listen. */
  readonly counts: {
    /** All handlers succeeded. */
    readonly handled: number;
    /** A handler failed. */
    readonly failed: number;
    /** Of these: put off for another attempt. */
    readonly retried: number;
    /** Found in the ledger, and not run. */
    readonly duplicate: number;
    /** Made a dead letter. */
    readonly deadLettered: number;
    /** Wanted by no handler: acknowledged, or made a dead letter. */
    readonly unhandled: number;
    /** Requests that nobody waited for any longer: not run, or ended. */
    readonly abandoned: number;
    /** Deleted from the stream before they were handled. */
    readonly lost: number;
  };
}
