import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { ReadAheadBytes } from './read-ahead-bytes.js';

/** How much of one stream this consumer has, in messages. */
export interface Load {
  /** Running, or waiting in a slot for a blocking retry. */
  readonly taken: number;
  /** Read, and not in a slot yet. */
  readonly readAhead: number;
  /** Whether handlers do not wait, so that all that is read ahead will have run before a read can answer. */
  readonly runsSynchronously: boolean;
  /** How many may be read ahead, at the recent pace. */
  readonly readAheadLimit: number;
  /** Read, and not settled. */
  readonly inFlight: number;
  /** The bytes of what was read, without what runs and what waits for retries in a partition. */
  readonly aheadBytes: number;
  /** How many sources bring entries at the same time: each may bring an equal part of what there is room for. @default 1 */
  readonly sources?: number;
}

interface Limits {
  readonly options: Pick<ResolvedSubscription, 'concurrency' | 'batchSize'>;
  readonly bytes: ReadAheadBytes;
}

/** Lua takes about 8 000 arguments in one call, and a script may need two for each entry. */
export const MOST_AT_ONCE = 1_000;

/** If handlers do not wait, one batch is on its way from Redis, one is reserved, and one runs. */
const BATCHES_AT_ONCE = 3;
/** How many batches may wait to be recorded. If handlers do not wait, outcomes wait for others to share a write with. */
const UNRECORDED_BATCHES = { usually: 2, atOnce: 4 };

/** How many more entries may be read. */
export const roomFor = (load: Load, limits: Limits): number =>
  Math.min(
    roomInEntries(load, limits),
    Math.ceil(limits.bytes.roomBeside(load.aheadBytes) / (load.sources ?? 1)),
  );

function roomInEntries(load: Load, { options }: Limits): number {
  const { concurrency, batchSize } = options;
  const { taken, readAhead, runsSynchronously, readAheadLimit, inFlight, sources = 1 } = load;
  const held = taken + readAhead;
  // If Redis does not take outcomes, they do not pile up in memory.
  const unrecorded = runsSynchronously ? UNRECORDED_BATCHES.atOnce : UNRECORDED_BATCHES.usually;
  if (inFlight - held > unrecorded * batchSize + concurrency) return 0;
  const most = runsSynchronously ? Math.min(MOST_AT_ONCE, batchSize) : MOST_AT_ONCE;
  const mayBeHeld =
    concurrency + (runsSynchronously ? BATCHES_AT_ONCE * batchSize : readAheadLimit);
  return Math.max(0, Math.min(most, Math.ceil((mayBeHeld - held) / sources)));
}

/**
 * Whether a read is worth its round trip: not for each message that ends, but once half of what may be read ahead is used up.
 * If handlers do not wait, once there is room for a whole batch.
 */
export function isWorthARead(load: Load, limits: Limits): boolean {
  const { concurrency, batchSize } = limits.options;
  if (!limits.bytes.isWorthARead(load.aheadBytes)) return false;
  if (load.runsSynchronously) {
    return roomInEntries(load, limits) >= Math.min(MOST_AT_ONCE, batchSize);
  }
  const free = concurrency - load.taken;
  const few = Math.max(free - 1, Math.floor(load.readAheadLimit / 2));
  return load.readAhead <= few && roomInEntries(load, limits) > 0;
}

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
  runsSynchronously(concurrency: number): boolean {
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
