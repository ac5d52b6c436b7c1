import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { onReconnect } from '../../redis/connect/cluster-client.js';
import { reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { clientId, readGroup } from '../../redis/read/stream-reads.js';
import { isClusterFault, isGroupGone, isWrongType } from '../../redis/server/redis-errors.js';
import type { StreamFlow } from '../stream-flow.js';
import type { Brought, StreamReaderParts } from './stream-reader.parts.js';
import { within } from '../within.js';

/** How soon to read again where a slot is on its way to another node, or a node is replaced: in ms. */
const CLUSTER_MS = 100;
/** How long the next read waits at the most until what came runs, where that is all there was, in ms. */
const TURN_MS = 5;

/** Brings entries to the flows that have room: one blocking read for all of them, as long as nothing else is to do. */
export class StreamReader {
  /** The flows that the blocking read under way covers. */
  private blockedFor: ReadonlySet<StreamFlow> | undefined;
  private readonly catchingUp = new Map<StreamFlow, Promise<void>>();
  private readonly stopping = new AbortController();
  private wakeUp: (() => void) | undefined;
  private blockingId: number | undefined;
  private loop: Promise<void> | undefined;
  private endFollowing: (() => void) | undefined;
  /** When its last round began; nothing while there is no room for anything. */
  private roundAt: number | undefined;

  constructor(private readonly parts: StreamReaderParts) {}

  start(): void {
    const { blocking, commands } = this.parts.connections;
    blocking.on('ready', this.onReconnect);
    blocking.on('close', this.forgetBlockingId);
    this.endFollowing = onReconnect(commands, this.onReconnect);
    this.loop = this.run();
  }

  /** How long ago its last round began, in ms; 0 while it waits for room, or has nothing to do. */
  get quietMs(): number {
    return this.roundAt === undefined ? 0 : performance.now() - this.roundAt;
  }

  /** A stream's flow has room again. */
  roomIn(streamKey: string): void {
    const flow = this.parts.flows.find(streamKey)?.flow;
    if (flow === undefined || !this.wantsRead(flow) || this.stopping.signal.aborted) return;
    if (this.blockedFor === undefined) this.wakeUp?.();
    else if (!this.blockedFor.has(flow)) this.catchUp(flow);
  }

  /** Fulfilled once no read under way covers a flow that wants none any more; most often at once. */
  async leave(flow: StreamFlow): Promise<void> {
    await this.catchingUp.get(flow);
    // Where Redis does not let us end it, it ends by itself.
    let tries = 0;
    await this.endBlockedWhile(() => this.blockedFor?.has(flow) === true && tries++ < 20);
  }

  /** Ends the blocked read, and takes its answer. Fulfilled once nothing more will be brought. */
  async stop(): Promise<void> {
    const { blocking, drop } = this.parts.connections;
    this.stopping.abort();
    blocking.off('ready', this.onReconnect);
    blocking.off('close', this.forgetBlockingId);
    this.endFollowing?.();
    this.wakeUp?.();
    const ended = Promise.all([this.loop, ...this.catchingUp.values()]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await within(this.unblock(), 100);
      if (await within(ended, 20 * attempt)) return;
    }
    // Redis is away, or does not let us end the read: what it brings now stays pending.
    drop();
    await ended;
  }

  /** The same where the others read on: its connection is not needed any more. */
  async end(): Promise<void> {
    await this.stop();
    this.parts.connections.drop();
  }

  // Replies may have been lost with a connection, and what they brought is pending for this consumer.
  private readonly onReconnect = (): void => {
    for (const flow of this.parts.flows.present) this.parts.resumption.restart(flow);
    this.wakeUp?.();
    void this.unblock();
  };

  private readonly forgetBlockingId = (): void => {
    this.blockingId = undefined;
  };

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      this.roundAt = performance.now();
      try {
        await this.parts.connections.ready(signal);
        await this.round();
        failures = 0;
        this.parts.onWorking();
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        await this.mend(error, failures);
      }
    }
  }

  private async mend(error: unknown, failures: number): Promise<void> {
    const isOnItsWay = isClusterFault(error);
    if (!isOnItsWay) this.parts.onFault(error);
    try {
      if (isGroupGone(error) || isWrongType(error)) await this.parts.ensureGroups();
      if (!isGroupGone(error) || failures > 1) {
        // Not over the connection for commands, which follows the slot: what it sends again would overtake an answer that got lost.
        const delayMs = isOnItsWay ? CLUSTER_MS : reconnectDelayMs(failures);
        await delay(delayMs, undefined, { signal: this.stopping.signal });
      }
    } catch {
      // Closed, or Redis failed again: the next round says which.
    }
  }

  private async round(): Promise<void> {
    const { resumption, flows, connections } = this.parts;
    const wanting = flows.present.filter(
      (flow) => this.wantsRead(flow) && !this.catchingUp.has(flow),
    );
    const behind = wanting.filter((flow) => resumption.isOpen(flow));
    if (behind.length > 0) {
      await Promise.all(behind.map((flow) => resumption.bringPage(connections.commands, flow)));
      return;
    }
    if (flows.present.length === 0) this.parts.onEmpty?.();
    if (wanting.length === 0) return this.untilWoken();
    if (this.blockingId === undefined) {
      this.blockingId = await clientId(connections.blocking);
      // What has got room meanwhile, or is new, goes along.
      if (this.blockingId !== undefined) return;
    }
    await this.readBlocking(wanting);
  }

  private async untilWoken(): Promise<void> {
    this.roundAt = undefined;
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      if (this.stopping.signal.aborted) resolve();
    });
    this.wakeUp = undefined;
  }

  private async readBlocking(flows: readonly StreamFlow[]): Promise<void> {
    const { blocking } = this.parts.connections;
    if (this.stopping.signal.aborted) return;
    this.blockedFor = new Set(flows);
    for (const flow of flows) flow.isAwaited = true;
    let brought: Brought;
    try {
      brought = await this.read(blocking, flows, this.parts.blockMs);
    } finally {
      this.blockedFor = undefined;
      for (const flow of flows) flow.isAwaited = false;
    }
    // Nothing more is there for now: to ask again can wait until what came has begun to run, and would only delay it.
    if (brought === 'all there was')
      await within(Promise.all(flows.map((flow) => flow.taken())), TURN_MS);
  }

  /** Reads at once for a flow that the blocking read leaves out, and takes it in there when there is nothing. */
  private catchUp(flow: StreamFlow): void {
    if (this.catchingUp.has(flow)) return;
    const caughtUp = this.readUntilEmpty(flow)
      // The blocking read meets the same fault, and says so.
      .catch(() => undefined)
      .finally(() => this.catchingUp.delete(flow));
    this.catchingUp.set(flow, caughtUp);
    void caughtUp.then(() => this.includeInBlocking(flow));
  }

  private async readUntilEmpty(flow: StreamFlow): Promise<void> {
    const { resumption, connections } = this.parts;
    let brought: Brought = 'some';
    while (brought !== 'nothing' && this.wantsRead(flow) && !this.stopping.signal.aborted) {
      if (resumption.isOpen(flow)) await resumption.bringPage(connections.commands, flow);
      else brought = await this.read(connections.commands, [flow]);
    }
  }

  private async includeInBlocking(flow: StreamFlow): Promise<void> {
    const leavesOut = (): boolean =>
      this.wantsRead(flow) && this.blockedFor !== undefined && !this.blockedFor.has(flow);
    await this.endBlockedWhile(() => leavesOut() && !this.stopping.signal.aborted);
    this.wakeUp?.();
  }

  private async endBlockedWhile(isMeant: () => boolean): Promise<void> {
    while (isMeant()) {
      const underWay = this.blockedFor;
      await this.unblock();
      // Redis may see the end of the read before the read itself.
      if (this.blockedFor === underWay) await delay(5);
    }
  }

  // One that vanished has room too, and no read would ever cover it.
  private wantsRead(flow: StreamFlow): boolean {
    const { flows, resumption } = this.parts;
    return flow.wantsRead && flows.isPresent(flow) && !resumption.isWaiting(flow);
  }

  private async read(
    client: Redis,
    flows: readonly StreamFlow[],
    blockMs?: number,
  ): Promise<Brought> {
    const shownMs = flows.map((flow) => flow.shownMs);
    const count = Math.max(1, Math.min(...flows.map(({ room }) => room)));
    const replies = await readGroup(client, {
      group: this.parts.group,
      consumer: this.parts.consumer,
      streams: flows.map(({ keys }) => keys.stream),
      count,
      ...(blockMs === undefined ? {} : { blockMs }),
    });
    let brought: Brought = 'nothing';
    for (const { stream, entries } of replies) {
      const flow = this.parts.flows.find(stream)?.flow;
      if (flow === undefined) continue;
      // It was sent again over a new connection. What the lost answer had is pending, and comes first: the walk brings both.
      if (this.parts.resumption.isOpen(flow)) {
        this.parts.resumption.restart(flow);
        continue;
      }
      if (entries.length >= count) brought = 'some';
      else if (brought === 'nothing') brought = 'all there was';
      flow.accept(entries, { sinceMs: shownMs[flows.indexOf(flow)] });
    }
    return brought;
  }

  private async unblock(): Promise<void> {
    if (this.blockedFor === undefined || this.blockingId === undefined) return;
    await this.parts.connections.unblock(this.blockingId);
  }
}
