import { streamOfPlace } from '../../wire/partitions.js';
import type { ResolvedServerOptions } from '../../options/resolved-options.js';
import { PACKAGE_VERSION } from '../../redis/server/package-version.js';
import type { StreamFlow } from '../stream-flow.js';

/** A member says that it is alive each `recovery.intervalMs`: a few of these may come late or get lost. */
const RENEWALS = 4;
/** The least, in case the interval is short: a busy process or Redis can be silent for as long. */
const AT_LEAST_MS = 5_000;

/** What a script takes to note that a member is alive: its name, for how long it counts as such, ms, and its version. */
type MemberRow = readonly [consumer: string, lastsMs: number, version: string];

/** What this consumer says of itself in the groups of its streams. */
export class Membership {
  readonly row: MemberRow;

  constructor(
    private readonly options: Pick<
      ResolvedServerOptions,
      'consumer' | 'keyPrefix' | 'partitions' | 'recoveryIntervalMs'
    >,
  ) {
    const { consumer, recoveryIntervalMs } = options;
    const lastsMs = Math.max(AT_LEAST_MS, RENEWALS * recoveryIntervalMs);
    this.row = [consumer, lastsMs, PACKAGE_VERSION];
  }

  /** Whether it has a row beside this stream. For partitions there is one beside their stream, which is renewed with it. */
  isIn({ keys }: StreamFlow): boolean {
    const { keyPrefix, partitions } = this.options;
    const place = keys.stream.slice(keyPrefix.length);
    return streamOfPlace(place, partitions) === place;
  }

  /** The same as {@link row}, but with a lifetime of 0 if it has no row there. */
  rowIn(flow: StreamFlow): MemberRow {
    const [consumer, lastsMs, version] = this.row;
    return [consumer, this.isIn(flow) ? lastsMs : 0, version];
  }
}
