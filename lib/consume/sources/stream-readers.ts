import type { Faults } from '../../redis/connect/retry-until-done.js';
import type { Demand } from '../waiting.js';
import type { FollowedStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';
import type { ServerConnections } from './connections.js';
import type { Groups } from './groups.js';
import type { Resumption } from './resumption.js';
import { StreamReader } from './stream-reader.js';

/** Reads all streams: with one reader, or in a cluster with one for each slot that holds a stream. */
export class StreamReaders {
  private readonly readers = new Map<string, StreamReader>();
  private readonly ending = new Set<Promise<unknown>>();
  private isStarted = false;

  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly connections: ServerConnections,
    private readonly resumption: Resumption,
    private readonly groups: Groups,
    private readonly refusals: Refusals,
    private readonly demand: Demand,
    private readonly faults: Faults,
    private readonly blockMs: number,
  ) {}

  start(): void {
    this.isStarted = true;
    if (!this.connections.isCluster) this.begin('');
    for (const { keys } of this.streams.reading) this.readerOf(keys.stream);
    void this.followDemand();
  }

  /** How long ago the last round of any of them began, in ms; 0 while they wait for room, or have nothing to do. */
  get quietMs(): number {
    return Math.max(0, ...[...this.readers.values()].map(({ quietMs }) => quietMs));
  }

  /** Resolves once no read under way covers a stream that is not to be read any more; most often at once. */
  async leave(pipeline: Pipeline): Promise<void> {
    await this.readers.get(this.connections.slotOf(pipeline.keys.stream))?.leave(pipeline);
  }

  /** Ends the blocked reads, and takes their answers. Resolves once nothing more will be brought. */
  async stop(): Promise<void> {
    this.isStarted = false;
    const stopped = [...this.readers].map(([slot, reader]) => this.stopOne(slot, reader));
    await Promise.all([...stopped, ...this.ending]);
  }

  private async stopOne(slot: string, reader: StreamReader): Promise<void> {
    if (await reader.stop()) return;
    // Redis is away, or does not let us end the read: what it brings now stays pending.
    this.connections.dropBlocking(slot);
    await reader.ended();
  }

  private async followDemand(): Promise<void> {
    while (this.isStarted) {
      for (const streamKey of await this.demand.next()) {
        const isFollowed = this.streams.find(streamKey) !== undefined;
        if (this.isStarted && isFollowed) this.readerOf(streamKey).roomIn(streamKey);
      }
    }
  }

  private readerOf(streamKey: string): StreamReader {
    const reader = this.readers.get(this.connections.slotOf(streamKey));
    return reader === undefined || reader.hasEnded ? this.begin(streamKey) : reader;
  }

  private begin(streamKey: string): StreamReader {
    const { connections, streams } = this;
    const slot = connections.slotOf(streamKey);
    const isOfSlot = (key: string): boolean => connections.slotOf(key) === slot;
    const reader = new StreamReader(
      this.member,
      connections.isCluster ? streams.within(isOfSlot) : streams,
      connections.forReading(streamKey),
      this.resumption,
      this.groups,
      this.refusals,
      this.faults,
      this.blockMs,
      connections.isCluster,
    );
    this.readers.set(slot, reader);
    void reader.start().then((isEmpty) => isEmpty && this.end(slot, reader));
    return reader;
  }

  /** None of the slot's streams exists any more: its connection is not needed. */
  private end(slot: string, reader: StreamReader): void {
    if (!this.isStarted) return;
    const isReplaced = this.readers.get(slot) !== reader;
    if (!isReplaced) this.readers.delete(slot);
    const ended = reader
      .stop()
      .then(() => isReplaced || this.connections.dropBlocking(slot))
      .finally(() => this.ending.delete(ended));
    this.ending.add(ended);
  }
}
