import { onReconnect } from '../../redis/connect/cluster-client.js';
import { type Faults, reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { recoverScript } from '../../redis/scripts/reserve/recover.script.js';
import { findUnattendedStreamsScript } from '../../redis/scripts/reserve/find-unattended-streams.script.js';
import type { FollowedStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';
import type { Groups } from './groups.js';
import { boundTimes } from './time-bounds.js';

/** Up to so many streams are asked one by one: to ask first which of them have something would cost a round trip more. */
export const ASKED_EACH = 8;
/** How soon the next page is asked for if there was no room for it, or there may be more, in ms. */
const NEXT_PAGE_MS = 100;
/** Redis serves nobody else while it looks at streams: about a millisecond for so many. */
const LOOKED_AT_ONCE = 150;

/**
 * Takes over what consumers that died or are stuck have left: at start, after a reconnect, and from time to time. Each look
 * for that also says that this consumer is alive.
 */
export class Recovery {
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;
  private isStopped = false;
  private endFollowing: (() => void) | undefined;
  /** Whether a walk is to begin, with a look at the groups. */
  private beginsWithLook = true;
  private lookedAt = -Infinity;
  private failures = 0;
  /** Whether times may lie further in the future than they can: nobody knows how Redis's clock was before. */
  private mustBoundTimes = true;
  /** Until when nothing is taken over, by `performance.now()`. */
  private heldUntil = -Infinity;
  /** Where to go on, for each stream that is not done. Another object for each beginning, even at the same place. */
  private readonly places = new Map<Pipeline, { readonly after: string }>();

  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly groups: Groups,
    private readonly refusals: Refusals,
    private readonly faults: Faults,
    private readonly intervalMs: number,
  ) {}

  start(): void {
    this.endFollowing = onReconnect(this.member.client, this.runSoon);
    this.runSoon();
  }

  /** Resolves once nothing more will be brought. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.endFollowing?.();
    clearTimeout(this.timer);
    await this.underWay;
  }

  /** A stream is read from now on: what others left of it is taken over soon. */
  include(pipeline: Pipeline): void {
    this.places.set(pipeline, { after: '-' });
    this.schedule(NEXT_PAGE_MS);
  }

  /**
   * Redis's clock was moved. If it was moved forward, everything looks as if its member had died: others get the time to renew
   * what is theirs.
   */
  clockMoved(isBack: boolean): void {
    if (isBack) this.heldUntil = -Infinity;
    else this.heldUntil = performance.now() + this.member.leaseMs / 2;
    this.runSoon();
  }

  private readonly runSoon = (): void => {
    this.failures = 0;
    this.mustBoundTimes = true;
    this.beginAgain();
    this.schedule(0);
  };

  private beginAgain(): void {
    this.beginsWithLook = true;
    this.places.clear();
    for (const pipeline of this.streams.shared) this.places.set(pipeline, { after: '-' });
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    if (this.isStopped) return;
    this.timer = setTimeout(() => {
      this.underWay ??= this.run().finally(() => {
        this.underWay = undefined;
      });
    }, delayMs);
  }

  private async run(): Promise<void> {
    const { streams, intervalMs, faults } = this;
    try {
      if (this.member.client.status === 'ready') {
        // A walk through a large backlog can take long, and others want to know that this consumer is alive.
        const isLookDue = performance.now() - this.lookedAt >= intervalMs;
        if (this.beginsWithLook || isLookDue) await this.lookAround();
        if (this.mustBoundTimes) await this.boundTimes();
        if (performance.now() < this.heldUntil) return this.schedule(this.member.leaseMs / 2);
        await Promise.all(streams.shared.map((pipeline) => this.takePage(pipeline)));
        this.failures = 0;
        faults.onWorking();
      }
    } catch (error) {
      this.beginsWithLook = true;
      this.failures++;
      if (!isRefusal(error) || !(await this.refusals.blame())) faults.onFault(error);
    }
    // A stream that vanished on the way has nothing that could be taken over.
    const isMore = streams.shared.some((pipeline) => this.places.has(pipeline));
    if (isMore || this.beginsWithLook) {
      return this.schedule(Math.max(NEXT_PAGE_MS, reconnectDelayMs(this.failures)));
    }
    this.beginAgain();
    this.schedule(intervalMs);
  }

  private async boundTimes(): Promise<void> {
    this.mustBoundTimes = false;
    try {
      await Promise.all(this.streams.shared.map((pipeline) => boundTimes(this.member, pipeline)));
    } catch (error) {
      this.mustBoundTimes = true;
      throw error;
    }
  }

  /** Finds out which streams need something to be done. */
  private async lookAround(): Promise<void> {
    const { reading } = this.streams;
    this.beginsWithLook = false;
    this.lookedAt = performance.now();
    const unattended = await this.unattendedAmong(reading);
    const isUnattended = new Set(unattended);
    for (const pipeline of reading) if (!isUnattended.has(pipeline)) this.places.delete(pipeline);
    await this.groups.ensureAll(unattended);
  }

  /**
   * The streams whose group may have to be created or set back, or whose entries others may have left. The others are told on
   * the way that this consumer is alive; ensuring a group does the same. In a cluster each stream may be on another node, so
   * all are returned.
   */
  private async unattendedAmong(reading: readonly Pipeline[]): Promise<readonly Pipeline[]> {
    const { client, group, leaseMs, row } = this.member;
    if (reading.length <= ASKED_EACH || client.isCluster) return reading;
    const parts: Pipeline[][] = [];
    for (let at = 0; at < reading.length; at += LOOKED_AT_ONCE) {
      parts.push(reading.slice(at, at + LOOKED_AT_ONCE));
    }
    const found = await Promise.all(
      parts.map(async (part) => {
        const keys = part.flatMap(({ keys: { stream, madeBlindly, members, versions } }) => [
          stream,
          madeBlindly,
          members,
          versions,
        ]);
        const each = part.flatMap(({ place }) => [
          place.position.highestId,
          this.member.hasRowIn(place) ? '1' : '',
        ]);
        const args = [group, leaseMs, ...row, ...each];
        const numbers = await findUnattendedStreamsScript.run(client, keys, args);
        return numbers.flatMap((n) => part[n] ?? []);
      }),
    );
    return found.flat();
  }

  private async takePage(pipeline: Pipeline): Promise<void> {
    const { client, group, consumer, leaseMs, startedAtMs } = this.member;
    const place = this.places.get(pipeline);
    const { room, keys, deliveries } = pipeline;
    if (place === undefined || room === 0) return;
    const { next, entries } = await recoverScript.run(
      client,
      [keys.stream, keys.leases, keys.retries, keys.attempts],
      [
        group,
        consumer,
        leaseMs,
        place.after,
        room,
        deliveries.mode.countsPendingAsStarted ? startedAtMs : '',
        pipeline.retriesBlock ? 1 : 0,
      ],
    );
    // If the walk began again meanwhile, it has another place to go on from.
    if (this.places.get(pipeline) === place) {
      if (next === '') this.places.delete(pipeline);
      else this.places.set(pipeline, { after: next });
    }
    pipeline.offer(entries);
  }
}
