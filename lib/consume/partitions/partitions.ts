import type { StreamPartitions } from '../../options/resolved-options.js';
import { onReconnect } from '../../redis/connect/cluster-client.js';
import { removeConsumerScript } from '../../redis/scripts/admin/remove-consumer.script.js';
import type { ConsumedStream } from '../consumed-stream.js';
import type { Groups } from '../sources/groups.js';
import type { ServerConnections } from '../sources/server-connections.js';
import type { StreamFlow } from '../stream-flow.js';
import { PartitionedStream, type PartitionedStreamParts } from './partitioned-stream.js';

export interface PartitionsParts extends Omit<
  PartitionedStreamParts,
  'client' | 'consumed' | 'partitions'
> {
  readonly connections: ServerConnections;
  readonly groups: Groups;
}

/** A partition that this process owns. */
export interface OwnedPartition {
  readonly stream: string;
  readonly partition: number;
  /** Higher with each owner. Never lower than Redis's time when the owner took it, in ms. */
  readonly epoch: number;
}

/** All streams of a consumer that have partitions. */
export class Partitions {
  private readonly streams: readonly PartitionedStream[];
  private endFollowing: (() => void) | undefined;

  constructor(
    private readonly parts: PartitionsParts,
    consumed: readonly ConsumedStream[],
    counts: StreamPartitions,
  ) {
    const client = parts.connections.commands;
    this.streams = consumed.flatMap((its) => {
      const partitions = counts.get(its.stream);
      if (partitions === undefined) return [];
      return [new PartitionedStream({ ...parts, client, consumed: its, partitions })];
    });
  }

  get areThere(): boolean {
    return this.streams.length > 0;
  }

  get owned(): OwnedPartition[] {
    return this.streams.flatMap(({ stream, owned }) =>
      owned.map(({ partition, epoch }) => ({ stream, partition, epoch })),
    );
  }

  /** Flows that are not read any more and may still have messages in hand. */
  get left(): readonly StreamFlow[] {
    return this.streams.flatMap(({ left }) => left);
  }

  /** Makes the group on each partition, whoever reads it, so that its first messages are not missed. */
  async ensureGroups(): Promise<void> {
    const unread = this.streams.flatMap((stream) => stream.unread);
    await Promise.all(unread.map((followed) => this.parts.groups.ensure(followed)));
  }

  async start(): Promise<void> {
    const { connections } = this.parts;
    connections.commands.on('close', this.onBreak);
    this.endFollowing = onReconnect(connections.commands, this.onBreak);
    connections.eachBlocking((client) =>
      client.on('close', this.onBreak).on('ready', this.onBreak),
    );
    await Promise.all(this.streams.map((stream) => stream.start()));
  }

  /** Releases each partition as soon as nothing of it runs. Resolves once all are released; never rejects. */
  async leave(): Promise<void> {
    const { commands, blocking } = this.parts.connections;
    this.endFollowing?.();
    for (const client of [commands, ...blocking]) {
      client.off('close', this.onBreak).off('ready', this.onBreak);
    }
    await Promise.all(this.streams.map((stream) => stream.leave()));
  }

  /** Removes this consumer, whose name nobody will use again, from the groups in which nothing is pending for it. */
  async leaveGroups(): Promise<void> {
    const { group, consumer, connections } = this.parts;
    const keys = this.streams.flatMap(({ keysOnceOwned }) => keysOnceOwned);
    await Promise.allSettled(
      keys.map(({ stream, members, versions }) =>
        removeConsumerScript.run(
          connections.commands,
          [stream, members, versions],
          [group, consumer, 0],
        ),
      ),
    );
  }

  /** What was not released expires. */
  end(): void {
    for (const stream of this.streams) stream.end();
  }

  private readonly onBreak = (): void => {
    for (const stream of this.streams) stream.connectionBroke();
  };
}
