import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ConnectionClosedError } from '../../errors/redis.errors.js';
import { channels } from '../../events/channels.js';
import type { ConnectionOption, ConnectionRole } from '../../options/connection-option.js';
import { errorText, hideSecrets } from '../server/redis-errors.js';
import { clusterOf } from './cluster-client.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from './connection.js';
import { slotConnection } from './slot-connection.js';

/** The states that Nest's own Redis transport reports as its `status`. */
export type RedisStreamsStatus = 'connected' | 'disconnected' | 'reconnecting';

/**
 * Logs and reports each change of a connection's state once.
 *
 * @param called the connection's name in the log
 * @returns a function that ends the watch
 */
export function watchConnection(
  { client, owned }: Connection,
  called: string,
  logger: LoggerService,
  report: (status: RedisStreamsStatus) => void,
): () => void {
  let state: RedisStreamsStatus | undefined;
  let reason: string | undefined;
  const sentinels = listenToSentinels(client);
  const changeTo = (next: RedisStreamsStatus): boolean => {
    if (state === next) return false;
    state = next;
    report(next);
    return true;
  };
  const onReady = (): void => {
    reason = undefined;
    if (changeTo('connected')) logger.log(`Connected to Redis (${called})`);
  };
  const onReconnecting = (): void => {
    if (!changeTo('reconnecting')) return;
    logger.warn(`Redis cannot be reached (${called})${because(reason)}. Trying again until it can`);
    channels.reconnecting.publish({ connection: called, reason });
  };
  const onEnd = (): void => {
    if (!changeTo('disconnected')) return;
    logger.error(
      `The connection to Redis has ended (${called})${because(reason)}. It is not made again`,
    );
  };
  // Without a listener ioredis prints every error. Here the latest is logged with the next change of state.
  const onError = (error: unknown): void => {
    hideSecrets(error);
    const sentinelReason = sentinels.reasonOf(error);
    reason = sentinelReason ?? errorText(error);
    // ioredis keeps asking sentinels within one attempt to connect, without an event.
    if (sentinelReason !== undefined) onReconnecting();
  };
  client.on('ready', onReady);
  client.on('reconnecting', onReconnecting);
  client.on('end', onEnd);
  client.on('error', onError);
  if (client.status === 'ready') onReady();
  return () => {
    client.off('ready', onReady);
    client.off('reconnecting', onReconnecting);
    client.off('end', onEnd);
    // A connection of ours is being closed, and may still emit errors.
    if (owned) return;
    client.off('error', onError);
    sentinels.end();
  };
}

const because = (reason: string | undefined): string => (reason === undefined ? '' : `: ${reason}`);

/** ioredis emits this error after each round in which no sentinel helped, and starts the next round. */
const ROUND_FAILED = 'All sentinels are unreachable';
const UNKNOWN_PRIMARY = / sentinel (\S+) .*(?:No such master with that name|invalid reply: null)$/;

/**
 * Records why sentinels gave no answer: ioredis reports that apart from its errors.
 *
 * @returns `reasonOf`, which tells why a round failed if the error is about one; and `end`, which stops listening
 */
export function listenToSentinels(client: Redis): {
  reasonOf(error: unknown): string | undefined;
  end(): void;
} {
  let last: string | undefined;
  const onSentinelError = (error: unknown): void => {
    const [, sentinel] = UNKNOWN_PRIMARY.exec(errorText(error)) ?? [];
    last =
      sentinel === undefined
        ? errorText(error)
        : `sentinel ${sentinel} knows no primary "${client.options.name ?? ''}"`;
  };
  client.on('sentinelError', onSentinelError);
  return {
    reasonOf: (error) =>
      errorText(error).startsWith(ROUND_FAILED) ? (last ?? errorText(error)) : undefined,
    end: () => void client.off('sentinelError', onSentinelError),
  };
}

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
