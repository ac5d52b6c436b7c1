import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ConnectionClosedError } from '../../errors/redis.errors.js';
import type { ConnectionOption, ConnectionRole } from '../../options/connection-option.js';
import { clusterOf } from './cluster-client.js';
import { type RedisStreamsStatus, watchConnection } from './connection-watch.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from './connection.js';
import { slotConnection } from './slot-connection.js';

/** What a connection is for, and what it is called. */
export interface ConnectionPurpose {
  readonly role: ConnectionRole;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  /** Its name in the log. */
  readonly called: string;
  readonly logger: LoggerService;
  /** Called with each change of state. */
  readonly report?: (status: RedisStreamsStatus) => void;
  /** For blocking reads: the key, and the client for other commands. In a cluster this connects to the key's node. */
  readonly reads?: { readonly key: string; readonly commands: Redis };
  /** Called with the client before it connects. */
  readonly prepare?: (client: Redis) => void;
}

/** A watched connection, from its start until it is dropped. */
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

  /** False if the user passed in the client. */
  get owned(): boolean {
    return this.connection.owned;
  }

  /** @throws ConnectionClosedError after `leave()` */
  async ready(): Promise<Redis> {
    await whenReady(this.connection, this.left.signal);
    return this.client;
  }

  /** Ends all waiting for `ready()`. */
  leave(): void {
    this.left.abort(new ConnectionClosedError('a connection'));
  }

  /** Closes it, with everything that still waits on it. */
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
