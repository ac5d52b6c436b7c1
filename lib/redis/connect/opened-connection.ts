import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ConnectionClosedError, NotConnectedError } from '../../errors/redis.errors.js';
import { outsideOfCalls } from '../../events/async-context.js';
import { channels } from '../../events/channels.js';
import type { ConnectionOption, ConnectionRole } from '../../options/connection-option.js';
import { clusterOf } from './cluster-client.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from './connection.js';
import {
  type ConnectionFault,
  faultOf,
  followFaults,
  isAboutSentinels,
} from './connection-faults.js';
import { slotConnection } from './slot-connection.js';

/** The states that Nest's own Redis transport reports as its `status`. */
export type RedisStreamsStatus = 'connected' | 'disconnected' | 'reconnecting';

/** The same reason is not logged again within this time, in ms: reasons may alternate with each attempt. */
const SAID_RECENTLY_MS = 30_000;

/**
 * Logs and reports each change of a connection's state once, and each new reason why it cannot be made.
 *
 * @param called the connection's name in the log
 * @returns a function that ends the watch
 */
export function watchConnection(
  { client }: Connection,
  called: string,
  logger: LoggerService,
  report: (status: RedisStreamsStatus) => void,
): () => void {
  let state: RedisStreamsStatus | undefined;
  /** When each reason was logged since the connection was lost. */
  const said = new Map<string, number>();
  let lastSaid: string | undefined;
  const changeTo = (next: RedisStreamsStatus): boolean => {
    if (state === next) return false;
    state = next;
    report(next);
    return true;
  };
  const sayWhy = (): void => {
    const line = unreachable(called, faultOf(client));
    const saidAt = said.get(line) ?? -Infinity;
    if (line === lastSaid || performance.now() - saidAt < SAID_RECENTLY_MS) return;
    said.set(line, performance.now());
    lastSaid = line;
    logger.warn(line);
  };
  const onReady = (): void => {
    said.clear();
    lastSaid = undefined;
    if (changeTo('connected')) logger.log(`Connected to Redis (${called})`);
  };
  const onReconnecting = (): void => {
    const isNew = changeTo('reconnecting');
    sayWhy();
    if (!isNew) return;
    channels.reconnecting.publish({ connection: called, reason: faultOf(client)?.reason });
  };
  const onEnd = (): void => {
    if (!changeTo('disconnected')) return;
    const fault = faultOf(client);
    const because = fault?.cause === undefined ? '' : reasonIn(fault);
    logger.error(`The connection to Redis has ended (${called})${because}. It is not made again`);
  };
  const endFaults = followFaults(client, (fault) => {
    if (isAboutSentinels(fault)) onReconnecting();
  });
  client.on('ready', onReady);
  client.on('reconnecting', onReconnecting);
  client.on('end', onEnd);
  if (client.status === 'ready') onReady();
  return () => {
    client.off('ready', onReady);
    client.off('reconnecting', onReconnecting);
    client.off('end', onEnd);
    // A connection of ours is being closed, and may still emit errors, which its own listener takes.
    endFaults();
  };
}

const reasonIn = (fault: ConnectionFault | undefined): string =>
  fault === undefined ? '' : `: ${fault.reason}`;

const unreachable = (called: string, fault: ConnectionFault | undefined): string =>
  fault?.isRefusal === true
    ? `Redis refuses the connection (${called})${reasonIn(fault)}. Trying again until it accepts it`
    : `Redis cannot be reached (${called})${reasonIn(fault)}. Trying again until it can`;

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
    this.connection = outsideOfCalls(() => connectionOf(option, purpose));
    prepare?.(this.client);
    this.endWatch = watchConnection(this.connection, called, logger, report);
    outsideOfCalls(() => openConnection(this.connection));
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

  /** @throws ConnectionClosedError after `leave()`, NotConnectedError after `timeoutMs`, with the last reason */
  async readyWithin(timeoutMs: number): Promise<Redis> {
    const { client } = this;
    if (client.status === 'ready') return client;
    const late = new AbortController();
    const timer = setTimeout(() => {
      const { reason, cause } = faultOf(client) ?? {};
      const options = cause === undefined ? undefined : { cause };
      late.abort(new NotConnectedError(timeoutMs, reason, options));
    }, timeoutMs);
    try {
      await whenReady(this.connection, AbortSignal.any([this.left.signal, late.signal]));
      return client;
    } finally {
      clearTimeout(timer);
    }
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
