import type { Redis } from 'ioredis';
import { partitionName } from '../../wire/partitions.js';
import {
  type StreamKeys,
  memberKeys,
  ownerKey,
  partitionCountKey,
} from '../../wire/stream-keys.js';
import { PACKAGE_VERSION } from '../../redis/server/package-version.js';
import {
  announceMemberScript,
  type Members,
} from '../../redis/scripts/partition/announce-member.script.js';
import { takePartitionScript } from '../../redis/scripts/partition/take-partition.script.js';
import type { ConsumedStream } from '../consumed-stream.js';
import type { FlowSet, FollowedStream } from '../flow-set.js';
import { localNow } from '../../redis/server/clocks.js';
import { StreamFlow } from '../stream-flow.js';
import type { PartsOf } from '../flow-parts.js';
import { OWNED_MS, Ownership } from './ownership.js';
import { beginTurn } from './begin-turn.js';
import type { PartitionTurn } from './partition-turn.js';
import { Presence } from './presence.js';
import { shareOf } from './share.js';
import { SharedSlots } from './shared-slots.js';

/** How often a member announces itself, and how long it counts as alive after that. */
const BEAT_MS = 1_000;
const ALIVE_MS = 5_000;

export interface PartitionedStreamParts {
  readonly client: Redis;
  readonly keyPrefix: string;
  readonly group: string;
  readonly consumer: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly consumed: ConsumedStream;
  readonly partitions: number;
  readonly flows: FlowSet;
  readonly partsOf: PartsOf;
  /** Resolves once no read covers the partition any more. */
  readonly leaveRead: (flow: StreamFlow) => Promise<void>;
  readonly onFault: (error: unknown) => void;
}

/** This member's share of one stream's partitions. */
export class PartitionedStream {
  private readonly turns = new Map<number, PartitionTurn>();
  /** Turns that were given up or lost, and of which something still runs. */
  private readonly leaving = new Map<PartitionTurn, Promise<void>>();
  /** What is known of each partition while this member does not own it. */
  private readonly resting: readonly FollowedStream[];
  /** The last epoch of this member in each partition; 0 if it never owned it. */
  private readonly epochs: number[];
  private readonly slots: SharedSlots;
  private readonly beatKeys: readonly string[];
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private isStopped = false;
  private readonly presence = new Presence(ALIVE_MS);

  constructor(private readonly parts: PartitionedStreamParts) {
    const { consumed, partitions, token, keyPrefix, group } = parts;
    const { members, holdings, versions } = memberKeys(keyPrefix, consumed.stream, group);
    const count = partitionCountKey(keyPrefix, consumed.stream);
    this.beatKeys = [members, holdings, versions, count];
    this.slots = new SharedSlots(consumed.options.concurrency);
    this.epochs = Array.from({ length: partitions }, () => 0);
    this.resting = Array.from({ length: partitions }, (_, partition) => {
      const name = partitionName(consumed.stream, partition);
      const flow = new StreamFlow({ ...parts.partsOf(consumed, name, token), stream: name });
      return this.followed(flow);
    });
  }

  get stream(): string {
    return this.parts.consumed.stream;
  }

  get owned(): readonly PartitionTurn[] {
    return [...this.turns.values()];
  }

  /** Flows that are not read any more and may still have messages in hand. */
  get left(): readonly StreamFlow[] {
    return [...this.leaving.keys()].map(({ flow }) => flow);
  }

  /** The partitions that are not read here. Their groups must exist all the same, or their first messages would be missed. */
  get unread(): readonly FollowedStream[] {
    return this.resting.filter((_, partition) => !this.turns.has(partition));
  }

  /** The keys of the partitions that this member has owned at some time. */
  get keysOnceOwned(): readonly StreamKeys[] {
    return this.resting
      .filter((_, partition) => (this.epochs[partition] ?? 0) > 0)
      .map(({ flow }) => flow.keys);
  }

  /** Resolves after the first announcement, even if Redis refused it. */
  start(): Promise<void> {
    return this.beat();
  }

  /**
   * Leaves the group: releases each partition as soon as nothing of it runs, whatever runs elsewhere. Resolves once all are
   * released; never rejects.
   */
  async leave(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.beating;
    // From now on a failure may be the app's doing, in partitions on their way to others too.
    for (const { flow } of this.leaving.keys()) flow.isHandingOver = false;
    await Promise.all([
      this.sayGoodbye(),
      ...this.owned.map((turn) => this.giveUp(turn)),
      ...this.leaving.values(),
    ]);
  }

  /** Renews nothing any more. */
  end(): void {
    for (const turn of [...this.turns.values(), ...this.leaving.keys()]) turn.end();
  }

  /** An answer may have been lost with a connection. */
  connectionBroke(): void {
    for (const turn of this.turns.values()) turn.claimAnew();
  }

  private beat(): Promise<void> {
    clearTimeout(this.timer);
    this.beating ??= this.shareOut()
      .catch((error: unknown) => this.parts.onFault(error))
      .finally(() => {
        this.beating = undefined;
        if (!this.isStopped) this.timer = setTimeout(() => void this.beat(), BEAT_MS);
      });
    return this.beating;
  }

  /** Announces this member, sees which others are alive, and takes or gives up what an even share asks for. */
  private async shareOut(): Promise<void> {
    const { client, consumer, partitions } = this.parts;
    if (client.status !== 'ready') return;
    const seen = await this.announce(ALIVE_MS);
    const others = [...seen.holdings].filter(([member]) => member !== consumer);
    this.presence.note(
      seen.wasThere,
      others.flatMap(([, its]) => its),
    );
    if (this.isStopped) return;
    const { surplus, wanted } = shareOf(consumer, seen.holdings, partitions);
    for (const partition of surplus) {
      const turn = this.turns.get(partition);
      if (turn !== undefined) void this.giveUp(turn);
    }
    const free = wanted.filter(
      (partition) => !this.turns.has(partition) && this.presence.mayTake(partition),
    );
    await Promise.all(free.map((partition) => this.take(partition)));
  }

  /**
   * Only what is certainly ours is announced: after a pause another member may own it, and nobody would take a partition
   * that two members say they have, once both gave it up.
   */
  private announce(aliveMs: number): Promise<Members> {
    const { client, consumer, partitions } = this.parts;
    // What is on its way to others comes last, so that it counts as surplus first.
    const turns = [...this.turns.values(), ...this.leaving.keys()];
    const certain = turns.filter(({ isCertain }) => isCertain).map(({ partition }) => partition);
    const holdings = JSON.stringify(certain);
    const row = [consumer, aliveMs, holdings, PACKAGE_VERSION, partitions];
    return announceMemberScript.run(client, this.beatKeys, row);
  }

  /** The others need not wait: they ask for the partitions of a member that is not listed until it has released them. */
  private async sayGoodbye(): Promise<void> {
    try {
      await this.announce(0);
    } catch (error) {
      this.parts.onFault(error);
    }
  }

  private async take(partition: number): Promise<void> {
    const { client, consumer, token, consumed } = this.parts;
    const followed = this.resting[partition];
    if (followed === undefined) return;
    const { leases, attempts } = followed.flow.keys;
    const askedAt = localNow();
    const epoch = await takePartitionScript.run(
      client,
      [this.ownerKeyOf(partition), leases, attempts],
      [
        consumer,
        token,
        OWNED_MS,
        this.presence.isPatient ? 1 : 0,
        this.epochs[partition] ?? 0,
        consumed.options.delivery === 'at-most-once' ? 0 : 1,
      ],
    );
    if (epoch === 0) return;
    this.epochs[partition] = epoch;
    this.begin(partition, new Ownership(token, epoch, askedAt));
  }

  private begin(partition: number, ownership: Ownership): void {
    const { parts, slots } = this;
    const name = partitionName(this.stream, partition);
    const turn = beginTurn({
      ...parts,
      flowParts: parts.partsOf(parts.consumed, name, ownership.mark),
      slots,
      partition,
      ownerKey: this.ownerKeyOf(partition),
      ownership,
      onLost: (lost) => this.lost(lost),
    });
    const { flow } = turn;
    flow.inHand.highestId = this.resting[partition]?.flow.inHand.highestId ?? '';
    this.turns.set(partition, turn);
    parts.flows.include(this.followed(flow));
    turn.start();
  }

  private giveUp(turn: PartitionTurn): Promise<void> {
    // If the app is closing, a handler may fail because of that.
    turn.flow.isHandingOver = !this.isStopped;
    turn.flow.stop();
    return this.endTurn(turn, () => turn.giveUp());
  }

  private lost(turn: PartitionTurn): void {
    void this.endTurn(turn, () => turn.flow.drain());
  }

  /** Waits until nothing of a turn is read, and `finish` is done. Never rejects. */
  private endTurn(turn: PartitionTurn, finish: () => Promise<void>): Promise<void> {
    this.turns.delete(turn.partition);
    const ended = this.parts
      .leaveRead(turn.flow)
      .then(finish)
      .catch((error: unknown) => this.parts.onFault(error))
      .finally(() => {
        this.forget(turn);
        // Whoever lacks a partition learns sooner that it is free.
        if (!this.isStopped) void this.beat();
      });
    this.leaving.set(turn, ended);
    return ended;
  }

  private forget(turn: PartitionTurn): void {
    const { flows } = this.parts;
    const { flow } = turn;
    const resting = this.resting[turn.partition]?.flow;
    if (resting !== undefined) resting.inHand.highestId = flow.inHand.highestId;
    this.leaving.delete(turn);
    const followed = flows.find(flow.keys.stream);
    if (followed?.flow === flow) flows.forget(followed);
  }

  private ownerKeyOf(partition: number): string {
    const { keyPrefix, group } = this.parts;
    return ownerKey(keyPrefix, this.stream, partition, group);
  }

  private followed(flow: StreamFlow): FollowedStream {
    const { isNamed, wildcards } = this.parts.consumed;
    return { flow, isNamed, wildcards };
  }
}
