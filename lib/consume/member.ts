import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { PACKAGE_VERSION } from '../redis/server/package-version.js';
import { type ClockReading, readClock } from '../redis/server/clocks.js';
import type { Holder } from '../wire/ids.js';
import type { StreamPlace } from './stream-place.js';

/** A member says that it is alive each `recovery.intervalMs`: a few of these may come late or get lost. */
const RENEWALS = 4;
/** If the interval is short: a busy process or Redis can be silent for this long. */
const LEAST_LIFE_MS = 5_000;

/** What scripts take to note that a member is alive: its name, for how long it counts as alive, and its version. */
type MemberRow = readonly [consumer: string, lastsMs: number, version: string];

/** This process as one member of its group: what nearly every script has to name. */
export class Member {
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  /**
   * Another one for each start, so that an earlier process of the same name is somebody else. It is longer than it must be: with
   * it, a row of `leases` has more than the 64 bytes up to which Redis keeps a small HASH as a list, and searches all of it for
   * each message.
   */
  readonly token = randomBytes(24).toString('hex') as Holder;
  readonly row: MemberRow;
  private reading: ClockReading = { redisMs: 0, sentAt: 0, answeredAt: 0 };

  constructor(
    readonly client: Redis,
    options: Pick<ResolvedServerOptions, 'group' | 'consumer' | 'leaseMs' | 'recoveryIntervalMs'>,
  ) {
    ({ group: this.group, consumer: this.consumer, leaseMs: this.leaseMs } = options);
    const lastsMs = Math.max(LEAST_LIFE_MS, RENEWALS * options.recoveryIntervalMs);
    this.row = [this.consumer, lastsMs, PACKAGE_VERSION];
  }

  /**
   * When this process began to consume, by Redis's clock. What its consumer was given before that was given to an earlier
   * process of the same name. It is a point in time and not a duration, since a script may be sent again much later.
   */
  get startedAtMs(): number {
    return this.reading.redisMs;
  }

  /** What Redis's clock showed then. In a cluster, each node has a clock of its own. */
  get clockAtStart(): ClockReading {
    return this.reading;
  }

  /** Must be called before anything is read. */
  async noteStartTime(): Promise<void> {
    this.reading = await readClock(this.client);
  }

  /** Whether it has a row beside this stream. Partitions share the one of their stream. */
  hasRowIn({ partition }: StreamPlace): boolean {
    return partition === undefined;
  }

  /** The same as {@link row}, but with a lifetime of 0 if it has no row there. */
  rowIn(place: StreamPlace): MemberRow {
    const [consumer, lastsMs, version] = this.row;
    return [consumer, this.hasRowIn(place) ? lastsMs : 0, version];
  }
}
