import { RedisClock } from '../redis/server/clocks.js';
import { type ConsumerCounts, noCounts } from './consumer-counts.js';
import { StreamTally } from './stream-tally.js';

/** What one member of a group did since it began: for each of its streams, and all together. */
export class ConsumerTallies {
  readonly total: ConsumerCounts = noCounts();
  readonly clock = new RedisClock();
  /** How often a connection was lost, or could not be made. */
  reconnects = 0;
  private readonly byStream = new Map<string, StreamTally>();

  constructor(
    private readonly group: string,
    private readonly consumer: string,
  ) {}

  /** A stream that was read before goes on with what it had. */
  of(stream: string): StreamTally {
    let tally = this.byStream.get(stream);
    if (tally === undefined) {
      const { group, consumer, total, clock } = this;
      tally = new StreamTally({ stream, group, consumer }, total, clock);
      this.byStream.set(stream, tally);
    }
    return tally;
  }

  all(): StreamTally[] {
    return [...this.byStream.values()];
  }
}
