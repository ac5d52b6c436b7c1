import type { StreamPartitions } from '../../options/resolved-options.js';
import { onReconnect } from '../../redis/cluster-client.js';
import { removeConsumerScript } from '../../redis/scripts/remove-consumer.script.js';
import type { ConsumedStream } from '../consumed-stream.js';
import type { Groups } from '../groups.js';
import type { ServerConnections } from '../server-connections.js';
import type { StreamFlow } from '../stream-flow.js';
import { PartitionedStream, type PartitionedStreamParts } from './partitioned-stream.js';

export interface PartitionsParts extends Omit<
  PartitionedStreamParts,
  'client' | 'consumed' | 'partitions'
> {
  readonly connections: ServerConnections;
  readonly groups: Groups;
}

/** A partition that this process has to itself. */
export interface OwnedPartition {
  readonly stream: string;
  readonly partition: number;
  /** One more with each owner that it had. */
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

  /** Flows that are not read any more, and of which something may be in hand. */
  get left(): readonly StreamFlow[] {
    return this.streams.flatMap(({ left }) => left);
  }

  /** A group is there on each partition from the start on, whoever reads it: else what is published first were missed. */
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

  /** Takes no more. */
  async stop(): Promise<void> {
    const { commands, blocking } = this.parts.connections;
    this.endFollowing?.();
    for (const client of [commands, ...blocking]) {
      client.off('close', this.onBreak).off('ready', this.onBreak);
    }
    await Promise.all(this.streams.map((stream) => stream.stop()));
  }

  /** Gives up all of them. Fulfilled once nothing of them runs. */
  async leave(): Promise<void> {
    await Promise.all(this.streams.map((stream) => stream.leave()));
  }

  /** A name that nobody will have again is of no use to their groups, once nothing is pending for it. */
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

  /** What was not given up ends by itself. */
  end(): void {
    for (const stream of this.streams) stream.end();
  }

  private readonly onBreak = (): void => {
    for (const stream of this.streams) stream.connectionBroke();
  };
}
