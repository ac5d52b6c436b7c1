import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ConnectionClosedError } from '../errors/connection-closed.error.js';
import type { ConnectionOption, ConnectionRole } from '../options/connection-option.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from './connection.js';
import { type RedisStreamsStatus, watchConnection } from './connection-watch.js';

/** What a connection is for, and what it is called. */
export interface ConnectionPurpose {
  readonly role: ConnectionRole;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  /** How the log calls it. */
  readonly called: string;
  readonly logger: LoggerService;
  /** Is told of each change of state. */
  readonly report?: (status: RedisStreamsStatus) => void;
  /** Is given the client before it begins to connect. */
  readonly prepare?: (client: Redis) => void;
}

/** A connection that is watched, from the moment it is asked for until it is dropped. */
export class OpenedConnection {
  private readonly connection: Connection;
  private readonly left = new AbortController();
  private readonly endWatch: () => void;

  constructor(option: ConnectionOption, purpose: ConnectionPurpose) {
    const { role, name, called, logger, report = () => undefined, prepare } = purpose;
    this.connection = connectionFor(option, role, name);
    prepare?.(this.client);
    this.endWatch = watchConnection(this.connection, called, logger, report);
    openConnection(this.connection);
  }

  get client(): Redis {
    return this.connection.client;
  }

  /** Whether it is ours, and not the caller's instance. */
  get owned(): boolean {
    return this.connection.owned;
  }

  /** @throws ConnectionClosedError where it is left meanwhile */
  async ready(): Promise<Redis> {
    await whenReady(this.connection, this.left.signal);
    return this.client;
  }

  /** Nobody waits for it any longer. */
  leave(): void {
    this.left.abort(new ConnectionClosedError('a connection'));
  }

  /** Leaves it, with whatever still waits on it. */
  drop(): void {
    this.leave();
    this.endWatch();
    dropConnection(this.connection);
  }
}
