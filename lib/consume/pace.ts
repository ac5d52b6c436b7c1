const LOOK_AHEAD_MS = 1_000;
/** The weight of the newest duration in the average. */
const NEWEST = 0.1;
/** After so many runs in a row that did not wait, the next ones are expected not to wait either. */
const SURE_AFTER = 100;
/** A handler that computes for longer than this, in ms, gains nothing from reading earlier. */
const NO_TIME_MS = 0.1;

/**
 * How fast a consumer has handled a stream's messages recently, and so how many it may read ahead: as many as it will start
 * within about a second. Another member can take what a slow consumer does not hold.
 */
export class Pace {
  private averageMs: number | undefined;
  private inOneTurn = 0;

  /** @param waited whether the run ended in a later turn of the event loop than it began in */
  record(durationMs: number, waited = true): void {
    this.inOneTurn = waited ? 0 : this.inOneTurn + 1;
    this.averageMs =
      this.averageMs === undefined
        ? durationMs
        : this.averageMs + NEWEST * (durationMs - this.averageMs);
  }

  /** Whether handlers have not waited recently, so that what is to start ends before anything else can happen. */
  runsAtOnce(concurrency: number): boolean {
    return this.inOneTurn >= SURE_AFTER && (this.averageMs ?? Infinity) <= NO_TIME_MS * concurrency;
  }

  /**
   * How many messages to hold beside those that run: at least 1, at most `batchSize`.
   *
   * @param youngestMs if all slots are taken: how long the youngest of the running messages has run
   */
  readAhead(concurrency: number, batchSize: number, youngestMs: number): number {
    if (this.averageMs === undefined) return 1;
    const eachMs = Math.max(this.averageMs, youngestMs, LOOK_AHEAD_MS / batchSize / 1000);
    return Math.max(1, Math.min(batchSize, Math.floor((concurrency * LOOK_AHEAD_MS) / eachMs)));
  }
}

let turn = 0;
let isCounted = false;

/** The number of the event loop's turn. What begins and ends in the same turn has not waited. */
export function thisTurn(): number {
  if (!isCounted) {
    isCounted = true;
    setImmediate(() => {
      turn++;
      isCounted = false;
    });
  }
  return turn;
}
