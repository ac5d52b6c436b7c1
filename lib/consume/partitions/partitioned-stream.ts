import type { Faults } from '../../redis/connect/retry-until-done.js';
import {
  announceMemberScript,
  type Members,
} from '../../redis/scripts/partition/announce-member.script.js';
import { takePartitionScript } from '../../redis/scripts/partition/take-partition.script.js';
import { localNow } from '../../redis/server/clocks.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import { PACKAGE_VERSION } from '../../redis/server/package-version.js';
import { partitionName } from '../../wire/partitions.js';
import { memberKeys, ownerKey, partitionCountKey, streamKeys } from '../../wire/stream-keys.js';
import { startsBeforeAcknowledging } from '../delivery/deliveries-for.js';
import { FollowedStream, type FollowedStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { PipelineBuilder } from '../pipeline-builder.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';
import type { StreamReaders } from '../sources/stream-readers.js';
import type { ConsumedStream } from '../stream-place.js';
import { OWNED_MS, Ownership, SharedSlots } from './gates.js';
import { PartitionTurn } from './partition-turn.js';
import { Presence, shareOf } from './share.js';

/** How often a member announces itself, and how long it counts as alive after that, in ms. */
const BEAT_MS = 1_000;
const ALIVE_MS = 5_000;

/** A partition, with the key that says who owns it. */
interface Partition {
  readonly followed: FollowedStream;
  readonly ownerKey: string;
  /** The last epoch of this member; 0 if it never owned the partition. */
  epoch: number;
}

/** This member's share of one stream's partitions. */
export class PartitionedStream {
  private readonly turns = new Map<number, PartitionTurn>();
  /** Turns that were given up or lost, while something of them still runs. */
  private readonly leaving = new Map<PartitionTurn, Promise<void>>();
  private readonly partitions: readonly Partition[];
  private readonly slots: SharedSlots;
  private readonly beatKeys: readonly string[];
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private isStopped = false;
  private readonly presence = new Presence(ALIVE_MS);
  private readonly faults: Faults;

  constructor(
    private readonly consumed: ConsumedStream,
    count: number,
    keyPrefix: string,
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly builder: PipelineBuilder,
    private readonly readers: StreamReaders,
    private readonly refusals: Refusals,
    private readonly faultsOf: (about: string) => Faults,
  ) {
    const { stream, options } = consumed;
    const { group } = member;
    const { members, holdings, versions, left } = memberKeys(keyPrefix, stream, group);
    this.beatKeys = [members, holdings, versions, partitionCountKey(keyPrefix, stream), left];
    this.faults = faultsOf(stream);
    this.slots = new SharedSlots(options);
    this.partitions = Array.from({ length: count }, (_, partition) => {
      const name = partitionName(stream, partition);
      const keys = streamKeys(keyPrefix, name, group);
      const owner = ownerKey(keyPrefix, stream, partition, group);
      const followed = new FollowedStream(name, keys, consumed, partition, owner);
      streams.include(followed);
      return { followed, ownerKey: owner, epoch: 0 };
    });
  }

  get stream(): string {
    return this.consumed.stream;
  }

  get owned(): readonly PartitionTurn[] {
    return [...this.turns.values()];
  }

  /** The pipelines that are not read any more and may still have messages in hand. */
  get left(): readonly Pipeline[] {
    return [...this.leaving.keys()].map(({ pipeline }) => pipeline);
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
    // From now on a failure may be caused by the app that is closing, in partitions on their way to others too.
    for (const { pipeline } of this.leaving.keys()) pipeline.isAppClosing = true;
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
    for (const turn of this.turns.values()) turn.claimAgain();
  }

  private beat(): Promise<void> {
    clearTimeout(this.timer);
    this.beating ??= this.shareOut()
      .then(() => this.faults.onWorking())
      .catch((error: unknown) => this.faults.onFault(error))
      .finally(() => {
        this.beating = undefined;
        if (!this.isStopped) this.timer = setTimeout(() => void this.beat(), BEAT_MS);
      });
    return this.beating;
  }

  /** Announces this member, sees which others are alive, and takes or gives up what an even share asks for. */
  private async shareOut(): Promise<void> {
    const { client, consumer } = this.member;
    if (client.status !== 'ready') return;
    const seen = await this.announce(ALIVE_MS);
    const others = [...seen.holdings].filter(([member]) => member !== consumer);
    const elsewhere = others.flatMap(([, partitions]) => partitions);
    this.presence.note(seen.wasThere, elsewhere);
    if (this.isStopped) return;
    const { surplus, wanted } = shareOf(consumer, seen.holdings, this.partitions.length);
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
   * Only what is certainly ours is announced. After a pause another member may own a partition, and nobody would take one that
   * two members announced, once both gave it up.
   */
  private announce(aliveMs: number): Promise<Members> {
    const { client, consumer } = this.member;
    // What is on its way to others comes last, so that it counts as surplus first.
    const turns = [...this.turns.values(), ...this.leaving.keys()];
    const certain = turns.filter(({ isCertain }) => isCertain).map(({ partition }) => partition);
    const row = [consumer, aliveMs, JSON.stringify(certain), PACKAGE_VERSION];
    return announceMemberScript.run(client, this.beatKeys, [...row, this.partitions.length]);
  }

  /** The others need not wait: they ask for the partitions of a member that is not listed until it has released them. */
  private async sayGoodbye(): Promise<void> {
    await this.announce(0).catch((error: unknown) => this.faults.onFault(error));
  }

  private async take(number: number): Promise<void> {
    const { client, consumer, token } = this.member;
    const partition = this.partitions[number];
    if (partition === undefined || partition.followed.isSetAside) return;
    const { leases, attempts } = partition.followed.keys;
    const askedAt = localNow();
    const args = [
      consumer,
      token,
      OWNED_MS,
      this.presence.isPatient ? 1 : 0,
      partition.epoch,
      startsBeforeAcknowledging(this.consumed.options) ? 1 : 0,
    ];
    const epoch = await takePartitionScript
      .run(client, [partition.ownerKey, leases, attempts], args)
      .catch((error: unknown) => {
        // One partition that Redis refuses does not keep us from the others.
        if (!isRefusal(error)) throw error;
        this.refusals.note(partition.followed, error);
        return 0;
      });
    if (epoch === 0) return;
    partition.epoch = epoch;
    this.begin(number, partition, new Ownership(token, epoch, askedAt));
  }

  private begin(number: number, partition: Partition, ownership: Ownership): void {
    const { followed } = partition;
    this.slots.bytes.addShare();
    const { pipeline, order } = this.builder.ownPartition(followed, ownership, this.slots);
    const turn = new PartitionTurn(
      this.member,
      number,
      partition.ownerKey,
      ownership,
      followed,
      pipeline,
      order,
      this.refusals,
      this.faultsOf(followed.name),
    );
    this.turns.set(number, turn);
    followed.begin(pipeline);
    this.streams.include(followed);
    void turn.lost.then(() => this.endTurn(turn, () => pipeline.drain()));
    turn.start();
  }

  private giveUp(turn: PartitionTurn): Promise<void> {
    turn.pipeline.stop(this.isStopped);
    return this.endTurn(turn, () => turn.giveUp());
  }

  /** Waits until nothing of a turn is read, and `finish` is done. Never rejects. */
  private endTurn(turn: PartitionTurn, finish: () => Promise<void>): Promise<void> {
    if (this.turns.get(turn.partition) === turn) this.turns.delete(turn.partition);
    const ended = this.readers
      .leave(turn.pipeline)
      .then(finish)
      .catch((error: unknown) => this.faults.onFault(error))
      .finally(() => {
        this.forget(turn);
        // Whoever lacks a partition learns sooner that it is free.
        if (!this.isStopped) void this.beat();
      });
    this.leaving.set(turn, ended);
    return ended;
  }

  private forget(turn: PartitionTurn): void {
    const followed = this.partitions[turn.partition]?.followed;
    this.leaving.delete(turn);
    this.slots.bytes.removeShare();
    if (followed === undefined) return;
    followed.end(turn.pipeline);
    this.streams.include(followed);
  }
}
