import type { FlowSet } from '../flow-set.js';
import type { ServerConnections } from './server-connections.js';
import type { StreamFlow } from '../stream-flow.js';
import { StreamReader } from './stream-reader.js';
import type { StreamReaderParts } from './stream-reader.parts.js';

export interface StreamReadersParts extends Omit<
  StreamReaderParts,
  'connections' | 'flows' | 'ensureGroups' | 'onEmpty'
> {
  readonly connections: ServerConnections;
  readonly flows: FlowSet;
  /** Makes what is missing of the groups of these streams. */
  readonly ensureGroups: (flows: readonly StreamFlow[]) => Promise<void>;
}

/** Reads all streams: with one reader, or in a cluster with one for each slot that holds a stream. */
export class StreamReaders {
  private readonly readers = new Map<string, StreamReader>();
  private readonly ending = new Set<Promise<void>>();
  private started = false;

  constructor(private readonly parts: StreamReadersParts) {}

  start(): void {
    const { connections, flows } = this.parts;
    this.started = true;
    if (!connections.isCluster) this.begin('');
    for (const { keys } of flows.present) this.readerOf(keys.stream);
  }

  /** How long ago the last round of any of them began, in ms; 0 while they wait for room, or have nothing to do. */
  get quietMs(): number {
    return Math.max(0, ...[...this.readers.values()].map(({ quietMs }) => quietMs));
  }

  /** A stream's flow has room again, or is new. */
  roomIn(streamKey: string): void {
    if (this.started && this.parts.flows.find(streamKey) !== undefined) {
      this.readerOf(streamKey).roomIn(streamKey);
    }
  }

  /** Fulfilled once no read under way covers a flow that wants none any more; most often at once. */
  async leave(flow: StreamFlow): Promise<void> {
    await this.readers.get(this.parts.connections.sideOf(flow.keys.stream))?.leave(flow);
  }

  /** Ends the blocked reads, and takes their answers. Fulfilled once nothing more will be brought. */
  async stop(): Promise<void> {
    this.started = false;
    const stopped = [...this.readers.values()].map((reader) => reader.stop());
    await Promise.all([...stopped, ...this.ending]);
  }

  private readerOf(streamKey: string): StreamReader {
    const side = this.parts.connections.sideOf(streamKey);
    return this.readers.get(side) ?? this.begin(streamKey);
  }

  private begin(streamKey: string): StreamReader {
    const { connections, flows, ensureGroups, ...its } = this.parts;
    const side = connections.sideOf(streamKey);
    const isOfIt = ({ keys }: StreamFlow): boolean => connections.sideOf(keys.stream) === side;
    const readFlows = connections.isCluster ? flows.part(isOfIt) : flows;
    const reader: StreamReader = new StreamReader({
      ...its,
      connections: connections.forReading(streamKey),
      flows: readFlows,
      ensureGroups: () => ensureGroups(readFlows.present),
      onEmpty: connections.isCluster ? () => this.end(side) : undefined,
    });
    this.readers.set(side, reader);
    reader.start();
    return reader;
  }

  /** None of its streams is there any more. */
  private end(side: string): void {
    const reader = this.readers.get(side);
    if (reader === undefined || !this.started) return;
    this.readers.delete(side);
    const ended = reader.end().finally(() => this.ending.delete(ended));
    this.ending.add(ended);
  }
}
