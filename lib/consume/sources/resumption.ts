import type { Redis } from 'ioredis';
import { resumeScript } from '../../redis/scripts/reserve/resume.script.js';
import type { Demand } from '../waiting.js';
import type { Member } from '../member.js';
import type { Pipeline } from '../pipeline.js';

/** Another member may take what is waited for, or it may go with its group: it is looked for at least this often, in ms. */
const LOOK_EVERY_MS = 1_000;

/**
 * Brings what comes before anything new in a stream: what is pending for this consumer, and what members that closed have
 * handed back. It begins when the stream is read for the first time, and again after a connection came back.
 */
export class Resumption {
  /** Where to go on, for each stream that is not done. Another object for each beginning, even at the same place. */
  private readonly places = new WeakMap<Pipeline, { readonly after: string }>();
  /** Those whose next message waits until it is due, and lets nothing pass. */
  private readonly waiting = new Map<Pipeline, NodeJS.Timeout>();

  constructor(
    private readonly member: Member,
    private readonly demand: Demand,
  ) {}

  /** Begins again. The owner of a partition does that itself, with what was pending for others. */
  restart(pipeline: Pipeline): void {
    if (pipeline.place.partition !== undefined) return;
    this.places.set(pipeline, { after: '-' });
    this.endWait(pipeline);
  }

  /** Whether there may be more. New entries wait for it, so that order holds. */
  isOpen(pipeline: Pipeline): boolean {
    return this.places.has(pipeline);
  }

  /** Whether what comes next has to wait: nothing of the stream is read meanwhile. */
  isWaiting(pipeline: Pipeline): boolean {
    return this.waiting.has(pipeline);
  }

  /** Brings the next page, as large as there is room for. */
  async bringPage(client: Redis, pipeline: Pipeline): Promise<void> {
    const { group, consumer, token, startedAtMs } = this.member;
    const place = this.places.get(pipeline);
    const { room, keys, deliveries } = pipeline;
    if (place === undefined || room === 0) return;
    const inHand = pipeline.inHand.snapshot();
    const { next, entries, waitsMs } = await resumeScript.run(
      client,
      [keys.stream, keys.retries, keys.attempts, keys.leases],
      [
        group,
        consumer,
        place.after,
        room,
        deliveries.mode.countsPendingAsStarted ? startedAtMs : '',
        pipeline.retriesBlock ? token : '',
      ],
    );
    // If it was restarted meanwhile, what is pending by now may not be in this page, and is asked for again.
    if (this.places.get(pipeline) === place) {
      if (next === undefined) this.places.delete(pipeline);
      else this.places.set(pipeline, { after: next });
      if (waitsMs !== undefined) this.wait(pipeline, waitsMs);
    }
    pipeline.offer(entries.filter(({ id }) => !inHand.has(id)));
  }

  private wait(pipeline: Pipeline, waitsMs: number): void {
    const timer = setTimeout(
      () => {
        this.endWait(pipeline);
        this.demand.raise(pipeline.keys.stream);
      },
      Math.min(waitsMs, LOOK_EVERY_MS),
    );
    // What it waits for is in Redis, for whoever comes next.
    timer.unref();
    this.waiting.set(pipeline, timer);
  }

  private endWait(pipeline: Pipeline): void {
    clearTimeout(this.waiting.get(pipeline));
    this.waiting.delete(pipeline);
  }
}
