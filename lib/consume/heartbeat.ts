import type { Faults } from '../redis/connect/retry-until-done.js';
import { isRefusal } from '../redis/server/redis-errors.js';
import type { FollowedStream, FollowedStreams } from './followed-streams.js';
import type { Pipeline } from './pipeline.js';
import type { Refusals } from './refusals.js';

/** Keeps what runs and what was read ahead ours: three times in the life of a lease. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  /** Those whose answer is slow. In a cluster that may be one node, and no reason to let leases on others end. */
  private readonly renewing = new Set<Pipeline>();

  constructor(
    private readonly streams: FollowedStreams,
    private readonly leaseMs: number,
    private readonly refusals: Refusals,
    private readonly faults: Faults,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.renewAll(), this.leaseMs / 3);
  }

  renewAll(): void {
    for (const followed of this.streams.all) void this.renew(followed);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async renew(followed: FollowedStream): Promise<void> {
    const { pipeline } = followed;
    if (pipeline === undefined || this.renewing.has(pipeline)) return;
    this.renewing.add(pipeline);
    try {
      await pipeline.renew();
      this.faults.onWorking();
    } catch (error) {
      if (isRefusal(error)) this.refusals.note(followed, error);
      else this.faults.onFault(error);
    }
    this.renewing.delete(pipeline);
  }
}
