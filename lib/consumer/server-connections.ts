import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from '../redis/connection.js';
import { type RedisStreamsStatus, watchConnection } from '../redis/connection-watch.js';
import type { ConnectionOption } from '../options/connection-option.js';

export type ServerConnectionRole = 'commands' | 'blocking';

/** The two connections of a server: one that blocks for all its streams, one for everything else. */
export class ServerConnections {
  private readonly connections: Record<ServerConnectionRole, Connection>;
  private readonly states = new Map<ServerConnectionRole, RedisStreamsStatus>();
  private readonly endWatches = new Map<ServerConnectionRole, () => void>();

  constructor(option: ConnectionOption, consumer: string, blockMs: number) {
    this.connections = {
      commands: connectionFor(option, 'commands', `${consumer}:commands`),
      blocking: connectionFor(option, 'blocking', `${consumer}:blocking`, blockMs),
    };
  }

  get commands(): Redis {
    return this.connections.commands.client;
  }

  get blocking(): Redis {
    return this.connections.blocking.client;
  }

  /**
   * Begins to connect. `report` gets the worse of the two states whenever it changes, `onReconnecting` is called each time
   * one of them was lost.
   */
  open(
    logger: LoggerService,
    report: (status: RedisStreamsStatus) => void,
    onReconnecting: () => void,
  ): void {
    for (const role of ['commands', 'blocking'] as const) {
      this.endWatches.set(
        role,
        watchConnection(this.connections[role], role, logger, (status) => {
          this.states.set(role, status);
          if (status === 'reconnecting') onReconnecting();
          const all = [...this.states.values()];
          if (all.includes('disconnected')) report('disconnected');
          else if (all.includes('reconnecting')) report('reconnecting');
          else if (all.length === 2) report('connected');
        }),
      );
      openConnection(this.connections[role]);
    }
  }

  /** @throws the signal's reason where that comes first */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all([
      whenReady(this.connections.commands, signal),
      whenReady(this.connections.blocking, signal),
    ]);
  }

  /** Ends the blocking connection, whatever it waits for: it is not needed any more. */
  dropBlocking(): void {
    this.endWatches.get('blocking')?.();
    dropConnection(this.connections.blocking);
  }

  /** Ends what is ours, with whatever still waits on it. */
  close(): void {
    this.dropBlocking();
    dropConnection(this.connections.commands);
    this.endWatches.get('commands')?.();
  }
}
