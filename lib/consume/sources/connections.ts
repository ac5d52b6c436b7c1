import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { UnsupportedServerError } from '../../errors/redis.errors.js';
import type { ConnectionOption } from '../../options/connection-option.js';
import { clusterOf, nodeOf } from '../../redis/connect/cluster-client.js';
import { type RedisStreamsStatus, watchConnection } from '../../redis/connect/opened-connection.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from '../../redis/connect/connection.js';
import { reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { slotConnection, SlotRedis } from '../../redis/connect/slot-connection.js';
import { isClusterFault, isRedisReply } from '../../redis/server/redis-errors.js';
import { hashSlot } from '../../wire/hash-tags.js';

type ServerConnectionRole = 'commands' | 'blocking';

type ConnectionListener = (connection: ServerConnectionRole) => void;

/** The events of a server's connections, as ioredis names them. Each callback gets the role of the connection. */
export interface RedisStreamsEvents extends Record<string, Function> {
  connect: ConnectionListener;
  ready: ConnectionListener;
  error: (connection: ServerConnectionRole, error: Error) => void;
  close: ConnectionListener;
  reconnecting: ConnectionListener;
  end: ConnectionListener;
}

/** Who is told about the connections. */
interface Watching {
  readonly logger: LoggerService;
  readonly report: (status: RedisStreamsStatus) => void;
  readonly onReconnecting: () => void;
}

/**
 * The connections of a server: one for commands, and one that blocks for all its streams. In a cluster one blocks for each slot
 * that holds a stream, since no read can span two slots.
 */
export class ServerConnections {
  private readonly main: Connection;
  /** The blocking ones, by slot. */
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

  /** Streams with the same slot can be read together. Without a cluster all have the same. */
  slotOf(streamKey: string): string {
    return this.isCluster ? String(hashSlot(streamKey)) : '';
  }

  /** What the streams of this stream's slot are read with. */
  forReading(streamKey: string): ReadConnections {
    const slot = this.slotOf(streamKey);
    const connection = this.blockingFor.get(slot) ?? this.makeBlocking(slot, streamKey);
    return new ReadConnections(this.main, connection);
  }

  /** Whether Redis cannot be asked anything now. */
  get isAway(): boolean {
    return this.states.get(this.main) !== 'connected';
  }

  /** Calls back with each blocking connection, now and when another one is made. */
  eachBlocking(callback: (client: Redis) => void): void {
    this.onBlocking.push(callback);
    for (const client of this.blocking) callback(client);
  }

  /**
   * Begins to connect. `report` gets the worst of the states whenever one changes; `onReconnecting` is called each time a
   * connection is lost.
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

  /** @throws the signal's reason if that comes first */
  async ready(signal: AbortSignal): Promise<void> {
    const all = [this.main, ...this.blockingFor.values()];
    await Promise.all(all.map((connection) => whenReady(connection, signal)));
  }

  /** Ends a blocking connection, whatever it waits for. In a cluster its slot is not read any more. */
  dropBlocking(slot: string): void {
    const connection = this.blockingFor.get(slot);
    if (connection === undefined) return;
    this.endWatches.get(connection)?.();
    dropConnection(connection);
    if (!this.isCluster) return;
    this.blockingFor.delete(slot);
    this.endWatches.delete(connection);
    this.states.delete(connection);
  }

  /** Ends the connections that are ours, with whatever still waits on them. */
  close(): void {
    for (const slot of this.blockingFor.keys()) this.dropBlocking(slot);
    dropConnection(this.main);
    this.endWatches.get(this.main)?.();
  }

  private makeBlocking(slot: string, streamKey = ''): Connection {
    const { option, consumer, blockMs } = this;
    const cluster = clusterOf(this.commands);
    const connection =
      cluster === undefined
        ? connectionFor(option, 'blocking', `${consumer}:blocking`, blockMs)
        : slotConnection(option, cluster, streamKey, `${consumer}:blocking:${slot}`, blockMs);
    this.blockingFor.set(slot, connection);
    for (const callback of this.onBlocking) callback(connection.client);
    if (this.watching !== undefined) this.openOne(connection, `blocking, slot ${slot}`);
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
}

/** What streams that can be read together are read with. */
export class ReadConnections {
  constructor(
    private readonly main: Connection,
    private readonly own: Connection,
  ) {}

  get commands(): Redis {
    return this.main.client;
  }

  get blocking(): Redis {
    return this.own.client;
  }

  /** Ends what the blocking connection waits for, if its server can be reached. */
  async unblock(clientId: number): Promise<void> {
    const cluster = clusterOf(this.commands);
    const { blocking } = this;
    const key = blocking instanceof SlotRedis ? blocking.nodeKey : undefined;
    const server =
      cluster === undefined || key === undefined ? this.commands : nodeOf(cluster, key);
    if (server === undefined || !['ready', 'wait'].includes(server.status)) return;
    await server.client('UNBLOCK', clientId).catch(() => undefined);
  }

  /** @throws the signal's reason if that comes first */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all([whenReady(this.main, signal), whenReady(this.own, signal)]);
  }
}

/** Does a step, as it is. */
export const once = <Result>(step: () => Promise<Result>): Promise<Result> => step();

/**
 * Does a step that can be done twice until a cluster has an answer to it: while a node is replaced, its client gives up sooner
 * than the others have agreed on who follows.
 *
 * @throws what Redis refused; the signal's reason
 */
export async function throughFailover<Result>(
  step: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      signal.throwIfAborted();
      const isAnswer = isRedisReply(error) && !isClusterFault(error);
      if (isAnswer || error instanceof UnsupportedServerError) throw error;
    }
    await delay(reconnectDelayMs(attempt), undefined, { signal });
  }
}
