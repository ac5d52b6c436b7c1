import { Redis, type RedisOptions } from 'ioredis';
import type { ConnectionOption } from '../options/connection-option.js';
import { isRedisInstance } from '../options/is-redis-instance.js';
import { reconnectDelayMs } from './reconnect-delay.js';

/** What a connection is for; it decides what happens to its commands when it drops. */
export type ConnectionRole = 'commands' | 'blocking' | 'publish' | 'operator';

/** A connection, and whether it is ours to close. */
export interface Connection {
  readonly client: Redis;
  readonly owned: boolean;
}

/** What answers to nobody but its caller: it is told at once, and asks again where it wants to. */
const TOLD_AT_ONCE: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
};

/** Scripts can be sent twice, so they wait for a new connection. Reads and publishes are told at once. */
const BY_ROLE: Record<ConnectionRole, RedisOptions> = {
  commands: { maxRetriesPerRequest: null },
  blocking: TOLD_AT_ONCE,
  publish: TOLD_AT_ONCE,
  operator: TOLD_AT_ONCE,
};

// Replies have the same form with RESP 2 and 3 as long as this stays what it is by default.
const mapped = (options: RedisOptions): RedisOptions & { replyMapping: 'legacy' } => ({
  ...options,
  replyMapping: 'legacy',
});

/**
 * A connection for `role`, not opened yet where it is ours. An instance that the user gave is used as it is, but
 * never for blocking: for that it is duplicated.
 *
 * @param name shown by `CLIENT LIST`
 */
export function connectionFor(
  option: ConnectionOption,
  role: ConnectionRole,
  name: string,
): Connection {
  const ours: RedisOptions = {
    lazyConnect: true,
    // The same results as RESP 3, and faster to read.
    protocol: 2,
    retryStrategy: reconnectDelayMs,
    // A Redis that loads its data is asked again this soon; by default after a second, in which leases end.
    maxLoadingRetryTime: 100,
    // What waits was dealt with before we close, so a socket that is dead need not hold the process any longer.
    disconnectTimeout: 250,
    ...BY_ROLE[role],
    connectionName: name.replace(/[^!-~]/g, '_'),
  };
  if (isRedisInstance(option)) {
    if (role !== 'blocking') return { client: option, owned: false };
    return { client: option.duplicate(ours), owned: true };
  }
  if (typeof option === 'string') return { client: new Redis(option, mapped(ours)), owned: true };
  const { retryStrategy, protocol } = option;
  return {
    client: new Redis(
      mapped({
        ...option,
        ...ours,
        ...(retryStrategy === undefined ? {} : { retryStrategy }),
        ...(protocol === undefined ? {} : { protocol }),
      }),
    ),
    owned: true,
  };
}

/** Begins to connect where nobody has, without waiting for it. */
export function openConnection({ client }: Connection): void {
  // A first attempt that fails is followed by others; the 'error' event tells of it.
  if (client.status === 'wait') client.connect().catch(() => undefined);
}

/** Waits until the connection can take commands; rejects with the signal's reason where that comes first. */
export function whenReady({ client }: Connection, signal: AbortSignal): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (): void => {
      client.off('ready', onReady);
      signal.removeEventListener('abort', onAbort);
    };
    const onReady = (): void => {
      done();
      resolve();
    };
    const onAbort = (): void => {
      done();
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    client.once('ready', onReady);
    signal.addEventListener('abort', onAbort);
  });
}

/** Drops the connection where it is ours, with whatever still waits on it. */
export function dropConnection({ client, owned }: Connection): void {
  if (owned) client.disconnect();
}
