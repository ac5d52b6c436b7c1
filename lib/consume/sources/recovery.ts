import type { Redis } from 'ioredis';
import { onReconnect } from '../../redis/connect/cluster-client.js';
import { recoverScript } from '../../redis/scripts/reserve/recover.script.js';
import type { Faults } from '../../redis/connect/fault-log.js';
import type { FlowSet } from '../flow-set.js';
import type { Membership } from './membership.js';
import { retriesBlock } from '../handlers/request-runs.js';
import type { StartedAt } from '../started-at.js';
import type { StreamFlow } from '../stream-flow.js';
import { unattendedAmong } from './unattended-among.js';

export interface RecoveryParts extends Faults {
  readonly client: Redis;
  readonly group: string;
  readonly consumer: string;
  readonly membership: Membership;
  readonly startedAt: StartedAt;
  readonly minIdleMs: number;
  readonly intervalMs: number;
  readonly flows: FlowSet;
  /** Sees to it that the groups of these streams are where they have to be. */
  readonly ensureGroups: (some: readonly StreamFlow[]) => Promise<void>;
}

/** How soon the next page is asked for where there was no room for it, or there may be more. */
const NEXT_PAGE_MS = 100;

/**
 * Takes over what consumers that died or are stuck have left: at start, after a reconnect, and from time to time. With each
 * look for that it says that this consumer is alive.
 */
export class Recovery {
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;
  private stopped = false;
  private endFollowing: (() => void) | undefined;
  /** Whether a walk is to begin, with a look at the groups. */
  private isAnew = true;
  private lookedAt = -Infinity;
  private readonly after = new Map<StreamFlow, string>();

  constructor(private readonly parts: RecoveryParts) {}

  start(): void {
    this.endFollowing = onReconnect(this.parts.client, this.runSoon);
    this.runSoon();
  }

  /** Fulfilled once nothing more will be brought. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.endFollowing?.();
    clearTimeout(this.timer);
    await this.underWay;
  }

  /** A stream is read from now on: what others left of it is taken over soon. */
  include(flow: StreamFlow): void {
    this.after.set(flow, '-');
    this.schedule(NEXT_PAGE_MS);
  }

  private readonly runSoon = (): void => {
    this.beginAnew();
    this.schedule(0);
  };

  private beginAnew(): void {
    this.isAnew = true;
    this.after.clear();
    for (const flow of this.parts.flows.shared) this.after.set(flow, '-');
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.underWay ??= this.run().finally(() => {
        this.underWay = undefined;
      });
    }, delayMs);
  }

  private async run(): Promise<void> {
    const { client, flows, intervalMs, onFault, onWorking } = this.parts;
    try {
      if (client.status === 'ready') {
        // A walk through much that was left can take long, and others want to know that this consumer is alive.
        const isLookDue = performance.now() - this.lookedAt >= intervalMs;
        if (this.isAnew || isLookDue) await this.lookAround();
        await Promise.all(flows.shared.map((flow) => this.takePage(flow)));
        onWorking();
      }
    } catch (error) {
      this.isAnew = true;
      onFault(error);
    }
    // One that vanished on the way has nothing that could be taken over.
    const isMore = flows.shared.some((flow) => this.after.has(flow));
    if (isMore || this.isAnew) return this.schedule(NEXT_PAGE_MS);
    this.beginAnew();
    this.schedule(intervalMs);
  }

  /** Finds out where there is something to do. */
  private async lookAround(): Promise<void> {
    const { client, group, minIdleMs, membership, flows } = this.parts;
    this.isAnew = false;
    this.lookedAt = performance.now();
    const { present } = flows;
    const some = await unattendedAmong(client, group, minIdleMs, membership, present);
    const unattended = new Set(some);
    for (const flow of present) if (!unattended.has(flow)) this.after.delete(flow);
    await this.parts.ensureGroups(some);
  }

  private async takePage(flow: StreamFlow): Promise<void> {
    const { client, group, consumer, minIdleMs, startedAt } = this.parts;
    const after = this.after.get(flow);
    const { room } = flow;
    if (after === undefined || room === 0) return;
    const { stream, leases, retries, attempts } = flow.keys;
    const { next, entries } = await recoverScript.run(
      client,
      [stream, leases, retries, attempts],
      [
        group,
        consumer,
        minIdleMs,
        after,
        room,
        flow.pendingMeansStarted ? startedAt.redisMs : '',
        retriesBlock(flow.options) ? 1 : 0,
      ],
    );
    // A walk that was begun anew meanwhile has another place to go on from.
    if (this.after.get(flow) === after) {
      if (next === '') this.after.delete(flow);
      else this.after.set(flow, next);
    }
    flow.accept(entries);
  }
}
