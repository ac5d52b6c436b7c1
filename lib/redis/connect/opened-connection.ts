import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ConnectionClosedError } from '../../errors/redis.errors.js';
import type { ConnectionOption, ConnectionRole } from '../../options/connection-option.js';
import { type Connection, connectionFor, dropConnection, openConnection } from './connection.js';
import { type RedisStreamsStatus, watchConnection } from './connection-watch.js';
import { clusterOf } from './cluster-client.js';
import { slotConnection } from './slot-connection.js';
import { whenReady } from './when-ready.js';

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
  /** What it reads, where it blocks, and what else is sent on: in a cluster it goes to the key's node. */
  readonly reads?: { readonly key: string; readonly commands: Redis };
  /** Is given the client before it begins to connect. */
  readonly prepare?: (client: Redis) => void;
}

/** A connection that is watched, from the moment it is asked for until it is dropped. */
export class OpenedConnection {
  private readonly connection: Connection;
  private readonly left = new AbortController();
  private readonly endWatch: () => void;

  constructor(option: ConnectionOption, purpose: ConnectionPurpose) {
    const { called, logger, report = () => undefined, prepare } = purpose;
    this.connection = connectionOf(option, purpose);
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

function connectionOf(
  option: ConnectionOption,
  { role, name, reads }: ConnectionPurpose,
): Connection {
  const cluster = reads && clusterOf(reads.commands);
  return cluster === undefined
    ? connectionFor(option, role, name)
    : slotConnection(option, cluster, reads?.key ?? '', name, 0);
}
