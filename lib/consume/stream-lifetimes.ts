import type { Faults } from '../redis/connect/retry-until-done.js';
import type { ByStream } from '../wire/by-stream.js';
import type { FollowedStreams } from './followed-streams.js';
import type { Member } from './member.js';

/** How often an expiry is renewed in the time after which a stream would expire. */
const RENEWALS = 10;
/** A stream that expires sooner than that is not kept by its readers. */
const SHORTEST_MS = 100;
/** Timers cannot wait as long as a stream can last. */
const LONGEST_MS = 60 * 60 * 1000;

/** Renews the expiry of the streams that have a `ttlMs`, so that they last as long as this consumer is a member of their group. */
export class StreamLifetimes {
  private readonly timers: NodeJS.Timeout[] = [];

  /** @param ttls how long after a renewal a stream expires, in ms */
  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly ttls: ByStream<number>,
    private readonly faultsOf: (stream: string) => Faults,
  ) {}

  start(): void {
    for (const [key, ttlMs] of this.ttls.entries) {
      const faults = this.faultsOf(key);
      const everyMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, ttlMs / RENEWALS));
      const renew = (): void => void this.renew(key, ttlMs, faults);
      this.timers.push(setInterval(renew, everyMs));
      renew();
    }
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** All streams that a key of `streams` applies to, and all their partitions, since the owner of one may have died, and the next one not have come yet. */
  private async renew(key: string, ttlMs: number, { onFault, onWorking }: Faults): Promise<void> {
    const { client } = this.member;
    if (client.status !== 'ready') return;
    const present = this.streams.all.filter(
      (followed) =>
        this.ttls.keyOf(followed.consumed.stream) === key &&
        !this.streams.isMissing(followed) &&
        !followed.isSetAside,
    );
    try {
      await Promise.all(present.map(({ keys }) => client.pexpire(keys.stream, ttlMs)));
      onWorking();
    } catch (error) {
      // The stream is read all the same; the next renewal tries it again.
      onFault(error);
    }
  }
}
