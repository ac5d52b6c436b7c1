import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { onReconnect } from '../../redis/connect/cluster-client.js';
import { type Faults, reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { clientId, readGroup } from '../../redis/read/streams.js';
import { isClusterFault, isGroupGone, isRefusal } from '../../redis/server/redis-errors.js';
import type { ReadStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';
import { within } from '../waiting.js';
import type { ReadConnections } from './connections.js';
import type { Groups } from './groups.js';
import type { Resumption } from './resumption.js';

/** How soon to read again while a slot moves to another node, or a node is replaced, in ms. */
const CLUSTER_MS = 100;
/** If a read brought all there was: how long the next read waits at most until that runs, in ms. */
const TURN_MS = 5;

/** What a read brought. */
interface Brought {
  /** Whether a stream got as many entries as the read asked for. */
  readonly mayLeaveMore: boolean;
  /** The streams that got entries. */
  readonly pipelines: readonly Pipeline[];
}

/** Brings new entries to the streams that have room: with one blocking read for all of them, as long as nothing else is to do. */
export class StreamReader {
  /** The pipelines that the blocking read under way covers. */
  private blockedFor: ReadonlySet<Pipeline> | undefined;
  /** Those that are read without `BLOCK`, because that read leaves them out. */
  private readonly catchingUp = new Map<Pipeline, Promise<void>>();
  /** Those that had capacity for more than the blocking read brought: it asks for no more than every stream can take. */
  private readonly cutShort = new WeakSet<Pipeline>();
  private readonly stopping = new AbortController();
  private wakeUp: (() => void) | undefined;
  private blockingId: number | undefined;
  private loop: Promise<boolean> | undefined;
  private endFollowing: (() => void) | undefined;
  /** Whether it has nothing to read any more. */
  hasEnded = false;
  /** When its last round began; undefined while nothing has room. */
  private roundAt: number | undefined;

  /** @param endsIfEmpty whether it has nothing to do any more once none of its streams exists */
  constructor(
    private readonly member: Member,
    private readonly streams: ReadStreams,
    private readonly connections: ReadConnections,
    private readonly resumption: Resumption,
    private readonly groups: Groups,
    private readonly refusals: Refusals,
    private readonly faults: Faults,
    private readonly blockMs: number,
    private readonly endsIfEmpty: boolean,
  ) {}

  /** Reads until it is stopped. @returns resolves to whether it ended because none of its streams exists */
  start(): Promise<boolean> {
    const { blocking, commands } = this.connections;
    blocking.on('ready', this.onReconnect);
    blocking.on('close', this.forgetBlockingId);
    this.endFollowing = onReconnect(commands, this.onReconnect);
    this.loop = this.run();
    return this.loop;
  }

  /** How long ago its last round began, in ms; 0 while it waits for room, or has nothing to do. */
  get quietMs(): number {
    return this.roundAt === undefined ? 0 : performance.now() - this.roundAt;
  }

  /** A stream has room again. */
  roomIn(streamKey: string): void {
    const pipeline = this.streams.find(streamKey);
    if (pipeline === undefined || !this.wantsRead(pipeline) || this.stopping.signal.aborted) return;
    if (this.blockedFor === undefined) this.wakeUp?.();
    else if (!this.blockedFor.has(pipeline)) this.catchUp(pipeline);
  }

  /** Resolves once no read under way covers a stream that is not to be read any more; most often at once. */
  async leave(pipeline: Pipeline): Promise<void> {
    await this.catchingUp.get(pipeline);
    // If Redis does not let us end the read, it ends by itself.
    let tries = 0;
    await this.endBlockedWhile(() => this.blockedFor?.has(pipeline) === true && tries++ < 20);
  }

  /** Ends the blocked read, and takes its answer. Resolves once nothing more will be brought; to whether Redis allowed that. */
  async stop(): Promise<boolean> {
    const { blocking } = this.connections;
    this.stopping.abort();
    blocking.off('ready', this.onReconnect);
    blocking.off('close', this.forgetBlockingId);
    this.endFollowing?.();
    this.wakeUp?.();
    const ended = Promise.all([this.loop, ...this.catchingUp.values()]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await within(this.unblock(), 100);
      if (await within(ended, 20 * attempt)) return true;
    }
    return false;
  }

  /** Resolves once its loop has ended, which an ended connection makes it do. */
  async ended(): Promise<void> {
    await Promise.all([this.loop, ...this.catchingUp.values()]);
  }

  // Replies may have been lost with a connection, and what they brought is pending for this consumer.
  private readonly onReconnect = (): void => {
    for (const pipeline of this.streams.reading) this.resumption.restart(pipeline);
    this.wakeUp?.();
    void this.unblock();
  };

  private readonly forgetBlockingId = (): void => {
    this.blockingId = undefined;
  };

  private async run(): Promise<boolean> {
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      this.roundAt = performance.now();
      try {
        await this.connections.ready(signal);
        if (this.endsIfEmpty && this.streams.reading.length === 0) {
          this.hasEnded = true;
          return true;
        }
        await this.round();
        failures = 0;
        this.faults.onWorking();
      } catch (error) {
        if (signal.aborted) return false;
        failures++;
        await this.mend(error, failures);
      }
    }
    return false;
  }

  private async mend(error: unknown, failures: number): Promise<void> {
    const isMoving = isClusterFault(error);
    try {
      // One refused stream does not keep the others from being read.
      if (isRefusal(error) && (await this.refusals.blame())) return;
      if (!isMoving) this.faults.onFault(error);
      if (isGroupGone(error)) await this.groups.ensureAll(this.streams.reading);
      if (!isGroupGone(error) || failures > 1) {
        // Not over the connection for commands, which follows the slot: what it sends again would overtake a lost answer.
        const delayMs = isMoving ? CLUSTER_MS : reconnectDelayMs(failures);
        await delay(delayMs, undefined, { signal: this.stopping.signal });
      }
    } catch {
      // Closed, or Redis failed again: the next round says which.
    }
  }

  private async round(): Promise<void> {
    const { connections, resumption } = this;
    const wanting = this.streams.reading.filter(
      (pipeline) => this.wantsRead(pipeline) && !this.catchingUp.has(pipeline),
    );
    const behind = wanting.filter((pipeline) => resumption.isOpen(pipeline));
    if (behind.length > 0) {
      await Promise.all(
        behind.map((pipeline) => resumption.bringPage(connections.commands, pipeline)),
      );
      return;
    }
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

  private async readBlocking(pipelines: readonly Pipeline[]): Promise<void> {
    if (this.stopping.signal.aborted) return;
    const count = Math.min(...pipelines.map(({ room }) => room));
    this.blockedFor = new Set(pipelines);
    for (const pipeline of pipelines) pipeline.isAwaited = true;
    let brought: Brought;
    // They share a round trip.
    const before = this.readCutShort(pipelines, count);
    try {
      const { blockMs } = this;
      brought = await this.read(this.connections.blocking, pipelines, count, { blockMs, before });
    } finally {
      this.blockedFor = undefined;
      for (const pipeline of pipelines) pipeline.isAwaited = false;
    }
    // Nothing more is there for now. The next read can wait until what came has begun to run, and would only delay it.
    if (!brought.mayLeaveMore && brought.pipelines.length > 0) {
      await within(Promise.all(brought.pipelines.map((pipeline) => pipeline.reserved())), TURN_MS);
    }
    for (const pipeline of await before) if (this.wantsRead(pipeline)) this.catchUp(pipeline);
  }

  /**
   * Reads more of the streams whose last read was cut short, each with a `COUNT` of its own. Leaves room for the `count` entries
   * that the blocking read may bring. Never rejects.
   *
   * @returns those in which more may wait
   */
  private async readCutShort(
    pipelines: readonly Pipeline[],
    count: number,
  ): Promise<readonly Pipeline[]> {
    const { blocking } = this.connections;
    const reads = pipelines
      .filter((pipeline) => this.cutShort.has(pipeline))
      .map(async (pipeline) => {
        const free = pipeline.room - count;
        if (free <= 0) return [];
        const brought = await this.read(blocking, [pipeline], free);
        if (brought.pipelines.length === 0) this.cutShort.delete(pipeline);
        return brought.mayLeaveMore ? [pipeline] : [];
      })
      // The blocking read meets the same fault, and reports it.
      .map((read) => read.catch(() => []));
    return (await Promise.all(reads)).flat();
  }

  /** Reads at once for a stream that the blocking read leaves out, and includes it there once nothing is left. */
  private catchUp(pipeline: Pipeline): void {
    if (this.catchingUp.has(pipeline) || !this.mayRead(pipeline)) return;
    this.catchingUp.set(pipeline, this.readWhatWaits(pipeline));
  }

  /** Never rejects. */
  private async readWhatWaits(pipeline: Pipeline): Promise<void> {
    const { commands } = this.connections;
    let isMore = true;
    // Whether a read is worth it depends on the time: the answer may be no by now, and the end must come after `catchUp`.
    await Promise.resolve();
    try {
      while (isMore && this.mayRead(pipeline)) {
        pipeline.isAwaited = true;
        if (this.resumption.isOpen(pipeline)) await this.resumption.bringPage(commands, pipeline);
        else isMore = (await this.read(commands, [pipeline], pipeline.room)).mayLeaveMore;
        pipeline.isAwaited = false;
      }
    } catch {
      // The blocking read meets the same fault, and reports it.
      isMore = false;
    }
    this.catchingUp.delete(pipeline);
    if (!isMore) void this.includeInBlocking(pipeline);
  }

  private async includeInBlocking(pipeline: Pipeline): Promise<void> {
    // It need not be read for what gets room meanwhile: the next blocking read is about to cover it.
    pipeline.isAwaited = this.blockingId !== undefined;
    await this.endBlockedWhile(
      () =>
        this.blockedFor?.has(pipeline) === false &&
        this.mayRead(pipeline) &&
        !this.catchingUp.has(pipeline),
    );
    pipeline.isAwaited = this.blockedFor?.has(pipeline) === true;
    this.roomIn(pipeline.keys.stream);
  }

  private async endBlockedWhile(isMeant: () => boolean): Promise<void> {
    while (isMeant()) {
      const underWay = this.blockedFor;
      await this.unblock();
      // Redis may see the end of the read before the read itself.
      if (this.blockedFor === underWay) await delay(5);
    }
  }

  private mayRead(pipeline: Pipeline): boolean {
    return this.wantsRead(pipeline) && !this.stopping.signal.aborted;
  }

  // One that vanished has room too, and no read would ever cover it.
  private wantsRead(pipeline: Pipeline): boolean {
    return (
      pipeline.wantsRead && this.streams.isReading(pipeline) && !this.resumption.isWaiting(pipeline)
    );
  }

  /** @param options `before`: a read that was sent before this one, and is answered first */
  private async read(
    client: Redis,
    pipelines: readonly Pipeline[],
    room: number,
    options: { readonly blockMs?: number; readonly before?: Promise<unknown> } = {},
  ): Promise<Brought> {
    const { group, consumer } = this.member;
    const { blockMs, before } = options;
    const shownMs = pipelines.map(({ deliveries }) => deliveries.mode.shownMs);
    const streams = pipelines.map(({ keys }) => keys.stream);
    // To Redis, 0 means any number. Room that has just gone does not make a read unbounded.
    const count = Math.max(1, room);
    const blocking = blockMs === undefined ? {} : { blockMs };
    const replies = await readGroup(client, { group, consumer, streams, count, ...blocking });
    await before;
    let mayLeaveMore = false;
    const brought: Pipeline[] = [];
    for (const { stream, entries } of replies) {
      const pipeline = this.streams.find(stream);
      if (pipeline === undefined) continue;
      // The read was sent again over a new connection. What the lost answer had is pending, and comes first: it is resumed.
      if (this.resumption.isOpen(pipeline)) {
        this.resumption.restart(pipeline);
        continue;
      }
      pipeline.offer(entries, { isNew: true, sinceMs: shownMs[pipelines.indexOf(pipeline)] });
      brought.push(pipeline);
      if (entries.length < count) continue;
      mayLeaveMore = true;
      if (pipeline.room > 0) this.cutShort.add(pipeline);
    }
    return { mayLeaveMore, pipelines: brought };
  }

  private async unblock(): Promise<void> {
    if (this.blockedFor === undefined || this.blockingId === undefined) return;
    await this.connections.unblock(this.blockingId);
  }
}
