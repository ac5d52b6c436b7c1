import type { Redis } from 'ioredis';
import { resumeScript } from '../../redis/scripts/reserve/resume.script.js';
import { retriesBlock } from '../handlers/request-runs.js';
import type { StartedAt } from '../started-at.js';
import type { StreamFlow } from '../stream-flow.js';

export interface ResumptionParts {
  readonly group: string;
  readonly consumer: string;
  readonly token: string;
  readonly startedAt: StartedAt;
  /** Told when it may go on in a stream where the next message had to wait. */
  readonly onWaited: (streamKey: string) => void;
}

/** What waits may be taken by another member, or go with its group: it is looked at as often at the least, in ms. */
const LOOK_EVERY_MS = 1_000;

/**
 * Brings what comes before anything new in a stream: what is pending for this consumer, and what members that closed have
 * handed back. It begins when the stream is read for the first time, and anew after a connection came back.
 */
export class Resumption {
  /** Where to go on, for each stream that is not through. */
  private readonly after = new WeakMap<StreamFlow, string>();
  /** Those where the next message waits for its time, and lets nothing pass. */
  private readonly waiting = new Map<StreamFlow, NodeJS.Timeout>();

  constructor(private readonly parts: ResumptionParts) {}

  /** Begins anew for `flow`. The owner of a partition does that itself, with what was pending for others. */
  restart(flow: StreamFlow): void {
    if (flow.isOwned) return;
    this.after.set(flow, '-');
    this.endWait(flow);
  }

  /** Whether there may be more of `flow`. New entries wait for it, so that order holds. */
  isOpen(flow: StreamFlow): boolean {
    return this.after.has(flow);
  }

  /** Whether what comes next in `flow` has to wait: nothing of it is to be read meanwhile. */
  isWaiting(flow: StreamFlow): boolean {
    return this.waiting.has(flow);
  }

  /** Brings the next page, as large as `flow` has room for. */
  async bringPage(client: Redis, flow: StreamFlow): Promise<void> {
    const { group, consumer, token, startedAt } = this.parts;
    const after = this.after.get(flow);
    const { room, options } = flow;
    if (after === undefined || room === 0) return;
    // What is settled meanwhile may be in the answer still, and is not in hand any more when that comes.
    const inHand = flow.inHand.snapshot();
    const { next, entries, waitsMs } = await resumeScript.run(
      client,
      [flow.keys.stream, flow.keys.retries, flow.keys.attempts, flow.keys.leases],
      [
        group,
        consumer,
        after,
        room,
        flow.pendingMeansStarted ? startedAt.redisMs : '',
        retriesBlock(options) ? token : '',
      ],
    );
    // If it was begun anew meanwhile, it has another place to go on from.
    if (this.after.get(flow) === after) {
      if (next === undefined) this.after.delete(flow);
      else this.after.set(flow, next);
      if (waitsMs !== undefined) this.wait(flow, waitsMs);
    }
    flow.accept(entries.filter(({ id }) => !inHand.has(id)));
  }

  private wait(flow: StreamFlow, waitsMs: number): void {
    const timer = setTimeout(
      () => {
        this.endWait(flow);
        this.parts.onWaited(flow.keys.stream);
      },
      Math.min(waitsMs, LOOK_EVERY_MS),
    );
    // What it waits for is in Redis, for whoever comes next.
    timer.unref();
    this.waiting.set(flow, timer);
  }

  private endWait(flow: StreamFlow): void {
    clearTimeout(this.waiting.get(flow));
    this.waiting.delete(flow);
  }
}
