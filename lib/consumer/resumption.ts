import type { Redis } from 'ioredis';
import { resumeScript } from '../redis/scripts/resume.script.js';
import type { StreamFlow } from './stream-flow.js';

/**
 * Brings what comes before anything new in a stream: what is pending for this consumer, and what members that closed have
 * handed back. It begins when the stream is read for the first time, and anew after a connection came back.
 */
export class Resumption {
  /** Where to go on, for each stream that is not through. */
  private readonly after = new WeakMap<StreamFlow, string>();
  private readonly since = performance.now();

  constructor(
    private readonly group: string,
    private readonly consumer: string,
  ) {}

  /** Begins anew for `flow`. The owner of a partition does that itself, with what was pending for others. */
  restart(flow: StreamFlow): void {
    if (!flow.isOwned) this.after.set(flow, '-');
  }

  /** Whether there may be more of `flow`. New entries wait for it, so that order holds. */
  isOpen(flow: StreamFlow): boolean {
    return this.after.has(flow);
  }

  /** Brings the next page, as large as `flow` has room for. */
  async bringPage(client: Redis, flow: StreamFlow): Promise<void> {
    const after = this.after.get(flow);
    const { room } = flow;
    if (after === undefined || room === 0) return;
    const hereMs = Math.ceil(performance.now() - this.since);
    // What is settled meanwhile may be in the answer still, and is not in hand any more when that comes.
    const inHand = flow.inHand.snapshot();
    const { next, entries } = await resumeScript.run(
      client,
      [flow.keys.stream, flow.keys.retries, flow.keys.attempts],
      [this.group, this.consumer, after, room, flow.pendingMeansStarted ? hereMs : ''],
    );
    // If it was begun anew meanwhile, it has another place to go on from.
    if (this.after.get(flow) === after) {
      if (next === undefined) this.after.delete(flow);
      else this.after.set(flow, next);
    }
    flow.accept(entries.filter(({ id }) => !inHand.has(id)));
  }
}
