import { onReconnect } from '../../redis/connect/cluster-client.js';
import type { Pipeline } from '../pipeline.js';
import type { ServerConnections } from '../sources/connections.js';
import type { PartitionedStream } from './partitioned-stream.js';

/** A partition that this process owns. */
export interface OwnedPartition {
  readonly stream: string;
  readonly partition: number;
  /** Higher with each owner. Never lower than Redis's time when the owner took it, in ms. */
  readonly epoch: number;
}

/** All streams of a consumer that have partitions. */
export class Partitions {
  private endFollowing: (() => void) | undefined;

  constructor(
    private readonly streams: readonly PartitionedStream[],
    private readonly connections: ServerConnections,
  ) {}

  get exist(): boolean {
    return this.streams.length > 0;
  }

  get owned(): OwnedPartition[] {
    return this.streams.flatMap(({ stream, owned }) =>
      owned.map(({ partition, epoch }) => ({ stream, partition, epoch })),
    );
  }

  /** The pipelines that are not read any more and may still have messages in hand. */
  get left(): readonly Pipeline[] {
    return this.streams.flatMap(({ left }) => left);
  }

  async start(): Promise<void> {
    const { commands } = this.connections;
    commands.on('close', this.onBreak);
    this.endFollowing = onReconnect(commands, this.onBreak);
    this.connections.eachBlocking((client) =>
      client.on('close', this.onBreak).on('ready', this.onBreak),
    );
    await Promise.all(this.streams.map((stream) => stream.start()));
  }

  /** Releases each partition as soon as nothing of it runs. Resolves once all are released; never rejects. */
  async leave(): Promise<void> {
    const { commands, blocking } = this.connections;
    this.endFollowing?.();
    for (const client of [commands, ...blocking]) {
      client.off('close', this.onBreak).off('ready', this.onBreak);
    }
    await Promise.all(this.streams.map((stream) => stream.leave()));
  }

  /** What was not released expires. */
  end(): void {
    for (const stream of this.streams) stream.end();
  }

  private readonly onBreak = (): void => {
    for (const stream of this.streams) stream.connectionBroke();
  };
}
