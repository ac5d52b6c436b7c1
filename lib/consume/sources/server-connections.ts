import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { hashSlot } from '../../wire/hash-slot.js';
import type { ConnectionOption } from '../../options/connection-option.js';
import { clusterOf } from '../../redis/connect/cluster-client.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from '../../redis/connect/connection.js';
import { type RedisStreamsStatus, watchConnection } from '../../redis/connect/connection-watch.js';
import { slotConnection } from '../../redis/connect/slot-connection.js';
import { ReadConnections } from './read-connections.js';

export type ServerConnectionRole = 'commands' | 'blocking';

/** Who is told of the connections. */
interface Watching {
  readonly logger: LoggerService;
  readonly report: (status: RedisStreamsStatus) => void;
  readonly onReconnecting: () => void;
}

/**
 * The connections of a server: one for commands, and one that blocks for all its streams; in a cluster one that blocks for each
 * slot that holds a stream, since no read can span two of them.
 */
export class ServerConnections {
  private readonly main: Connection;
  /** Those that block, by what they are for. */
  private readonly blockingFor = new Map<string, Connection>();
  private readonly states = new Map<Connection, RedisStreamsStatus>();
  private readonly endWatches = new Map<Connection, () => void>();
  private readonly onBlocking: ((client: Redis) => void)[] = [];
  private watching: Watching | undefined;

  constructor(
    private readonly option: ConnectionOption,
    private readonly consumer: string,
    private readonly blockMs: number,
  ) {
    this.main = connectionFor(option, 'commands', `${consumer}:commands`);
    if (!this.isCluster) this.makeBlocking('');
  }

  get isCluster(): boolean {
    return clusterOf(this.commands) !== undefined;
  }

  get commands(): Redis {
    return this.main.client;
  }

  get blocking(): Redis[] {
    return [...this.blockingFor.values()].map(({ client }) => client);
  }

  /** Streams that can be read together have the same side: all of them, or those of one slot. */
  sideOf(streamKey: string): string {
    return this.isCluster ? String(hashSlot(streamKey)) : '';
  }

  /** What the streams of this stream's side are read with. */
  forReading(streamKey: string): ReadConnections {
    const side = this.sideOf(streamKey);
    const connection = this.blockingFor.get(side) ?? this.makeBlocking(side, streamKey);
    return new ReadConnections(this.main, connection, () => this.drop(side));
  }

  /** Calls back with each connection that blocks, now and when another is made. */
  eachBlocking(callback: (client: Redis) => void): void {
    this.onBlocking.push(callback);
    for (const client of this.blocking) callback(client);
  }

  /**
   * Begins to connect. `report` gets the worst of the states whenever one changes, `onReconnecting` is called each time that a
   * connection was lost.
   */
  open(
    logger: LoggerService,
    report: (status: RedisStreamsStatus) => void,
    onReconnecting: () => void,
  ): void {
    this.watching = { logger, report, onReconnecting };
    this.openOne(this.main, 'commands');
    for (const connection of this.blockingFor.values()) this.openOne(connection, 'blocking');
  }

  /** @throws the signal's reason where that comes first */
  async ready(signal: AbortSignal): Promise<void> {
    const all = [this.main, ...this.blockingFor.values()];
    await Promise.all(all.map((connection) => whenReady(connection, signal)));
  }

  /** Ends what is ours, with whatever still waits on it. */
  close(): void {
    for (const side of this.blockingFor.keys()) this.drop(side);
    dropConnection(this.main);
    this.endWatches.get(this.main)?.();
  }

  private makeBlocking(side: string, streamKey = ''): Connection {
    const { option, consumer, blockMs } = this;
    const cluster = clusterOf(this.commands);
    const connection =
      cluster === undefined
        ? connectionFor(option, 'blocking', `${consumer}:blocking`, blockMs)
        : slotConnection(option, cluster, streamKey, `${consumer}:blocking:${side}`, blockMs);
    this.blockingFor.set(side, connection);
    for (const callback of this.onBlocking) callback(connection.client);
    if (this.watching !== undefined) this.openOne(connection, `blocking, slot ${side}`);
    return connection;
  }

  private openOne(connection: Connection, called: string): void {
    if (this.watching === undefined) return;
    const { logger, report, onReconnecting } = this.watching;
    const endWatch = watchConnection(connection, called, logger, (status) => {
      this.states.set(connection, status);
      if (status === 'reconnecting') onReconnecting();
      const all = [...this.states.values()];
      if (all.includes('disconnected')) report('disconnected');
      else if (all.includes('reconnecting')) report('reconnecting');
      else if (all.length === 1 + this.blockingFor.size) report('connected');
    });
    this.endWatches.set(connection, endWatch);
    openConnection(connection);
  }

  /** Ends a connection that blocks, whatever it waits for: it is not needed any more. */
  private drop(side: string): void {
    const connection = this.blockingFor.get(side);
    if (connection === undefined) return;
    this.endWatches.get(connection)?.();
    dropConnection(connection);
    if (!this.isCluster) return;
    this.blockingFor.delete(side);
    this.endWatches.delete(connection);
    this.states.delete(connection);
  }
}
