const LOOK_AHEAD_MS = 1_000;
/** The weight of the newest duration in the average. */
const NEWEST = 0.1;
/** So many runs, one after the other, have to have waited for nothing before the next ones are taken to do the same. */
const SURE_AFTER = 100;
/** What computes longer than this, in ms, need not have anything brought sooner. */
const NO_TIME_MS = 0.1;

/**
 * How fast a consumer gets through a stream of late, and so how much it may read ahead: what it will start within
 * about a second. What a slow consumer does not hold, another member can take.
 */
export class Pace {
  private averageMs: number | undefined;
  private atOnce = 0;

  /** @param waited whether it ended in another turn of the event loop than it began in */
  record(durationMs: number, waited = true): void {
    this.atOnce = waited ? 0 : this.atOnce + 1;
    this.averageMs =
      this.averageMs === undefined
        ? durationMs
        : this.averageMs + NEWEST * (durationMs - this.averageMs);
  }

  /** Whether handlers wait for nothing of late, so that what is to start is over before anything else can happen. */
  runsAtOnce(concurrency: number): boolean {
    return this.atOnce >= SURE_AFTER && (this.averageMs ?? Infinity) <= NO_TIME_MS * concurrency;
  }

  /**
   * How many messages to hold beside those that run: at least 1, at most `batchSize`.
   *
   * @param youngestMs how long the youngest of the running messages has run, where all slots are taken
   */
  readAhead(concurrency: number, batchSize: number, youngestMs: number): number {
    if (this.averageMs === undefined) return 1;
    const eachMs = Math.max(this.averageMs, youngestMs, LOOK_AHEAD_MS / batchSize / 1000);
    return Math.max(1, Math.min(batchSize, Math.floor((concurrency * LOOK_AHEAD_MS) / eachMs)));
  }
}
