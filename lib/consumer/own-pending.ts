import type { Redis } from 'ioredis';
import { ownPendingScript } from '../redis/scripts/own-pending.script.js';
import type { StreamFlow } from './stream-flow.js';

/** A walk through what is pending for this consumer: after its start, and after a connection came back. */
export class OwnPending {
  private readonly after = new WeakMap<StreamFlow, string>();
  private readonly since = performance.now();

  constructor(
    private readonly group: string,
    private readonly consumer: string,
  ) {}

  /** Begins the walk for `flow` anew. An owner does that itself, with what was pending for others. */
  restart(flow: StreamFlow): void {
    if (!flow.isOwned) this.after.set(flow, '-');
  }

  /** Whether the walk of `flow` is not at its end. New entries wait for it, so that order holds. */
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
    const { entries, lastId } = await ownPendingScript.run(
      client,
      [flow.keys.stream, flow.keys.retries, flow.keys.attempts],
      [this.group, this.consumer, after, room, flow.pendingMeansStarted ? hereMs : ''],
    );
    // A walk that was begun anew meanwhile has another place to go on from.
    if (this.after.get(flow) === after) {
      if (lastId === undefined) this.after.delete(flow);
      else this.after.set(flow, lastId);
    }
    flow.accept(entries.filter(({ id }) => !inHand.has(id)));
  }
}
