import type { Redis } from 'ioredis';
import { memberKeys, ownerKey } from '../../keys/partition-keys.js';
import { partitionName } from '../../keys/partitions.js';
import type { StreamKeys } from '../../keys/stream-keys.js';
import { PACKAGE_VERSION } from '../../redis/package-version.js';
import { beatScript } from '../../redis/scripts/beat.script.js';
import { takePartitionScript } from '../../redis/scripts/take-partition.script.js';
import type { ConsumedStream } from '../consumed-stream.js';
import type { FlowSet, FollowedStream } from '../flow-set.js';
import { leaseClock } from '../lease-clock.js';
import { StreamFlow } from '../stream-flow.js';
import type { PartsOf } from '../flow-parts.js';
import { OWNED_MS, Ownership } from './ownership.js';
import { beginTurn } from './begin-turn.js';
import type { PartitionTurn } from './partition-turn.js';
import { Presence } from './presence.js';
import { shareOf } from './share.js';
import { SharedSlots } from './shared-slots.js';

/** How often a member says that it is there, and for how long it counts as such. */
const BEAT_MS = 1_000;
const THERE_MS = 5_000;

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
  /** What a flow of this stream under that name in Redis is made of. */
  readonly partsOf: PartsOf;
  /** Fulfilled once no read covers a partition any more. */
  readonly leaveRead: (flow: StreamFlow) => Promise<void>;
  readonly onFault: (error: unknown) => void;
}

/** One stream's partitions: this member's share of them, as many as every other's. */
export class PartitionedStream {
  private readonly turns = new Map<number, PartitionTurn>();
  /** Given up or lost, and not through. */
  private readonly leaving = new Map<PartitionTurn, Promise<void>>();
  /** What is known of each partition, and which of them was ours at some time. */
  private readonly resting: readonly FollowedStream[];
  private readonly epochs: number[];
  private readonly slots: SharedSlots;
  private readonly memberKeys: readonly string[];
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private isStopped = false;
  private readonly presence = new Presence(THERE_MS);

  constructor(private readonly parts: PartitionedStreamParts) {
    const { consumed, partitions, token, keyPrefix, group } = parts;
    const { members, holdings, versions } = memberKeys(keyPrefix, consumed.stream, group);
    this.memberKeys = [members, holdings, versions];
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

  /** What this member has now. */
  get owned(): readonly PartitionTurn[] {
    return [...this.turns.values()];
  }

  /** Flows of which something may be in hand, and that are not read. */
  get left(): readonly StreamFlow[] {
    return [...this.leaving.keys()].map(({ flow }) => flow);
  }

  /** The partitions that are not read here: their groups have to be there all the same, from the beginning. */
  get unread(): readonly FollowedStream[] {
    return this.resting.filter((_, partition) => !this.turns.has(partition));
  }

  /** The keys of the partitions that were ours at some time. */
  get keysOnceOwned(): readonly StreamKeys[] {
    return this.resting
      .filter((_, partition) => (this.epochs[partition] ?? 0) > 0)
      .map(({ flow }) => flow.keys);
  }

  /** Fulfilled after the first look, also where Redis refused it. */
  start(): Promise<void> {
    return this.beat();
  }

  /** Takes no more partitions. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.beating;
  }

  /** Gives up all that it has, and the group. Fulfilled once nothing of it runs. */
  async leave(): Promise<void> {
    const { client, consumer } = this.parts;
    await Promise.all([
      ...this.owned.map((turn) => this.giveUp(turn)),
      ...[...this.leaving].map(([turn, left]) => left.then(() => turn.flow.drain())),
    ]);
    await beatScript.run(client, this.memberKeys, [consumer, 0, '[]']);
  }

  /** Nothing is renewed any more. */
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

  /** Says that it is there, sees who else is, and takes or gives up what that asks for. */
  private async shareOut(): Promise<void> {
    const { client, consumer, partitions } = this.parts;
    if (client.status !== 'ready') return;
    // What is on its way to others comes last: of what is too much it is the first to go.
    const mine = [...this.turns.keys()];
    const going = [...this.leaving.keys()].map(({ partition }) => partition);
    const row = [consumer, THERE_MS, JSON.stringify([...mine, ...going]), PACKAGE_VERSION];
    const seen = await beatScript.run(client, this.memberKeys, row);
    this.presence.note(seen.wasThere);
    if (this.isStopped) return;
    const { surplus, wanted } = shareOf(consumer, seen.holdings, partitions);
    for (const partition of surplus) {
      const turn = this.turns.get(partition);
      if (turn !== undefined) void this.giveUp(turn);
    }
    if (!this.presence.seesAll) return;
    const free = wanted.filter((partition) => !this.turns.has(partition));
    await Promise.all(free.map((partition) => this.take(partition)));
  }

  private async take(partition: number): Promise<void> {
    const { client, consumer, token, consumed } = this.parts;
    const followed = this.resting[partition];
    if (followed === undefined) return;
    const { leases, attempts } = followed.flow.keys;
    const askedAt = leaseClock();
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
    const known = this.leaving.get(turn);
    if (known !== undefined) return known;
    // Where the app goes down, a handler that fails may do so for that.
    turn.flow.isGivenUp = !this.isStopped;
    this.turns.delete(turn.partition);
    turn.flow.stop();
    const given = this.parts
      .leaveRead(turn.flow)
      .then(() => turn.giveUp())
      .catch((error: unknown) => this.parts.onFault(error))
      .finally(() => {
        this.forget(turn);
        // Whoever lacks one learns of it sooner.
        if (!this.isStopped) void this.beat();
      });
    this.leaving.set(turn, given);
    return given;
  }

  private lost(turn: PartitionTurn): void {
    this.turns.delete(turn.partition);
    const left = this.parts
      .leaveRead(turn.flow)
      .then(() => turn.flow.drain())
      .finally(() => this.forget(turn));
    this.leaving.set(turn, left);
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
