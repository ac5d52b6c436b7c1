import type { DelayedMessages } from '../../publish/delayed-messages.js';
import { type Faults, reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { JointWrite } from '../../redis/connect/cluster-client.js';
import { compareEntryIds, streamIdOf } from '../../wire/ids.js';
import { RepeatedCall } from '../../redis/scripts/script.js';
import { takeDueEntriesScript } from '../../redis/scripts/reserve/take-due-entries.script.js';
import {
  findDueStreamsScript,
  type FoundDue,
} from '../../redis/scripts/reserve/find-due-streams.script.js';
import { ClockWatch } from '../../redis/server/clocks.js';
import { hashSlot } from '../../wire/hash-tags.js';
import type { FollowedStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { MovedClock } from '../moved-clock.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';
import type { Demand } from '../waiting.js';
import { ASKED_EACH } from './recovery.js';
import type { Resumption } from './resumption.js';

const EVERY_MS = 200;

/** Streams that can be asked about together: all of them, or in a cluster those of one slot. */
interface AskedTogether {
  readonly pipelines: readonly Pipeline[];
  /** Asks which of them have something due. It is sent five times a second. */
  readonly whichAreDue: RepeatedCall<FoundDue>;
  readonly clock: ClockWatch;
  asking?: Promise<void> | undefined;
}

/**
 * Asks, for all streams at once, for entries that are due, and for delayed messages that have to be published by now. If a stream
 * had no room for all that is due, it is asked for more as soon as it has.
 */
export class DueEntries {
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  /** How often in a row Redis refused it, and not because of one stream. */
  private vainAsks = 0;
  private nextAt = 0;
  private readonly jointWrite: JointWrite;
  private asked: { readonly of: readonly Pipeline[]; readonly each: readonly AskedTogether[] } = {
    of: [],
    each: [],
  };

  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly resumption: Resumption,
    private readonly delayed: DelayedMessages,
    private readonly movedClock: MovedClock,
    private readonly refusals: Refusals,
    /** Streams that have room again for retries and redrives. */
    private readonly demand: Demand,
    private readonly faults: Faults,
  ) {
    this.jointWrite = new JointWrite(member.client);
  }

  start(): void {
    this.timer = setInterval(() => {
      if (!this.isAllowed) return;
      this.jointWrite.begin();
      this.delayed.check();
      for (const together of this.askedTogether()) this.askOnce(together);
    }, EVERY_MS);
    void this.followDemand();
  }

  /** Resolves once nothing more will be brought. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await Promise.all([...this.asked.each.map(({ asking }) => asking), this.delayed.stop()]);
  }

  /** Which streams can be asked about together. It changes seldom. */
  private askedTogether(): readonly AskedTogether[] {
    const { shared } = this.streams;
    const { clockAtStart } = this.member;
    const { isCluster } = this.member.client;
    if (this.asked.of === shared) return this.asked.each;
    const bySlot = new Map<string, Pipeline[]>();
    for (const pipeline of shared) {
      const slot = isCluster ? String(hashSlot(pipeline.keys.stream)) : '';
      const others = bySlot.get(slot);
      if (others === undefined) bySlot.set(slot, [pipeline]);
      else others.push(pipeline);
    }
    const each = [...bySlot.values()].map((pipelines) => {
      const keys = pipelines.map((pipeline) => pipeline.keys.retries);
      const whichAreDue = new RepeatedCall(findDueStreamsScript, keys);
      return {
        pipelines,
        whichAreDue,
        clock: new ClockWatch(isCluster ? undefined : clockAtStart),
      };
    });
    this.asked = { of: shared, each };
    return each;
  }

  private get isAllowed(): boolean {
    const isReady = this.member.client.status === 'ready';
    return isReady && !this.isStopped && performance.now() >= this.nextAt;
  }

  private async followDemand(): Promise<void> {
    while (!this.isStopped) {
      const keys = await this.demand.next();
      const haveRoom = new Set(keys.map((key) => this.streams.find(key)));
      for (const together of this.askedTogether()) {
        if (together.pipelines.some((pipeline) => haveRoom.has(pipeline))) this.goOn(together);
      }
    }
  }

  private askOnce(together: AskedTogether): void {
    this.unlessAsking(together, async () => this.take(together, await this.dueAmong(together)));
  }

  private goOn(together: AskedTogether): void {
    if (this.isAllowed) this.unlessAsking(together, () => Promise.resolve());
  }

  /** Asks, and then for more while there is more and room for it. */
  private unlessAsking(together: AskedTogether, ask: () => Promise<void>): void {
    together.asking ??= this.askAll(together, ask).finally(() => {
      together.asking = undefined;
    });
  }

  private async askAll(together: AskedTogether, ask: () => Promise<void>): Promise<void> {
    const { faults } = this;
    try {
      await ask();
      this.vainAsks = 0;
      faults.onWorking();
      for (let some = this.wanting(together); some.length > 0; some = this.wanting(together)) {
        await this.take(together, some);
      }
    } catch (error) {
      if (isRefusal(error)) {
        if (await this.refusals.blame()) return;
        this.nextAt = performance.now() + 10 * reconnectDelayMs(++this.vainAsks);
      }
      faults.onFault(error);
    }
  }

  /** The streams in which more is due than there was room for, and that have room now. */
  private wanting({ pipelines }: AskedTogether): readonly Pipeline[] {
    if (!this.isAllowed) return [];
    return pipelines.filter(
      (pipeline) => pipeline.due.isBehind && pipeline.wantsRead && this.mayAsk(pipeline),
    );
  }

  /** Takes entries that are due, as many as each stream has room for. */
  private async take(together: AskedTogether, some: readonly Pipeline[]): Promise<void> {
    const { client, group, consumer, leaseMs } = this.member;
    const asked = some.filter((pipeline) => this.mayAsk(pipeline));
    if (asked.length === 0) return;
    const sentAt = performance.now();
    const taken = await takeDueEntriesScript.run(
      client,
      asked.flatMap(({ keys }) => [keys.stream, keys.retries, keys.attempts, keys.deadLetters]),
      [group, consumer, leaseMs, ...asked.flatMap((pipeline) => this.bounds(pipeline))],
    );
    this.look(together, taken.nowMs, sentAt);
    // The answer to what put them off may have come just before this one, and is dealt with first.
    if (taken.streams.some(({ entries }) => entries.length > 0)) await new Promise(setImmediate);
    asked.forEach((pipeline, index) => {
      const { entries, nextMs } = taken.streams[index] ?? { entries: [] };
      pipeline.due.isBehind = nextMs === 0;
      // Those that are due at the same time come in the order of their text.
      const inOrder = [...entries].sort((a, b) =>
        compareEntryIds(streamIdOf(a.id), streamIdOf(b.id)),
      );
      pipeline.offer(inOrder);
    });
  }

  /** The streams in which something may be due. If there are many, one key of each is looked at first. */
  private async dueAmong(together: AskedTogether): Promise<readonly Pipeline[]> {
    const { pipelines, whichAreDue } = together;
    if (pipelines.length <= ASKED_EACH) return pipelines;
    const sentAt = performance.now();
    const { nowMs, due } = await whichAreDue.run(this.member.client);
    this.look(together, nowMs, sentAt);
    return due.flatMap((n) => pipelines[n] ?? []);
  }

  /** Each answer has Redis's time. In a cluster each node has a clock of its own. */
  private look({ clock }: AskedTogether, redisMs: number, sentAt: number): void {
    const movedMs = clock.movedMs({ redisMs, sentAt, answeredAt: performance.now() });
    if (movedMs !== 0) this.movedClock.noticed(movedMs);
  }

  /** What was handed back comes with what is resumed while that goes on, and so does everything if nothing may pass. */
  private bounds(pipeline: Pipeline): readonly [count: number, lowest: '0' | '-inf'] {
    return [pipeline.room, this.resumption.isOpen(pipeline) ? '0' : '-inf'];
  }

  private mayAsk(pipeline: Pipeline): boolean {
    return pipeline.room > 0 && !(pipeline.retriesBlock && this.resumption.isOpen(pipeline));
  }
}
