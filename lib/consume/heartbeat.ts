import type { Faults } from '../redis/connect/retry-until-done.js';
import type { FollowedStreams } from './followed-streams.js';
import type { Pipeline } from './pipeline.js';

/** Keeps what runs and what was read ahead ours: three times in the life of a lease. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  /** Those whose answer is slow. In a cluster that may be one node, and no reason to let leases on others end. */
  private readonly renewing = new Set<Pipeline>();

  constructor(
    private readonly streams: FollowedStreams,
    private readonly leaseMs: number,
    private readonly faults: Faults,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      for (const pipeline of this.streams.pipelines) void this.renew(pipeline);
    }, this.leaseMs / 3);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async renew(pipeline: Pipeline): Promise<void> {
    if (this.renewing.has(pipeline)) return;
    this.renewing.add(pipeline);
    try {
      await pipeline.renew();
      this.faults.onWorking();
    } catch (error) {
      this.faults.onFault(error);
    }
    this.renewing.delete(pipeline);
  }
}
