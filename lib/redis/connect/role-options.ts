import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { ConnectionRole, LegacyOptions } from '../../options/connection-option.js';
import { reconnectDelayMs } from './retry-until-done.js';

/** For reads and publishing: the caller gets the error at once and decides whether to try again. */
const FAIL_AT_ONCE: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
};

/** Scripts can be sent twice, so commands wait for a new connection. */
const WAIT_FOR_CONNECTION: RedisOptions = {
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: true,
  enableOfflineQueue: true,
};

const canWait = (role: ConnectionRole): boolean => role === 'commands';

/**
 * The options that this package relies on, whatever the user sets for the connection.
 *
 * @param name shown by `CLIENT LIST`
 */
export function neededOptions(role: ConnectionRole, name: string): LegacyOptions {
  return {
    ...(canWait(role) ? WAIT_FOR_CONNECTION : FAIL_AT_ONCE),
    connectionName: name.replace(/[^!-~]/g, '_'),
    // Redis may still execute a command that the client gave up, and the entries of such a read would be lost.
    commandTimeout: undefined,
    blockingTimeout: undefined,
    enableAutoPipelining: false,
    stringNumbers: false,
    // With this default, replies have the same form in RESP 2 and 3.
    replyMapping: 'legacy',
  };
}

/** The same for a cluster. */
export const neededClusterOptions = (role: ConnectionRole): ClusterOptions => ({
  retryDelayOnFailover: canWait(role) ? 100 : 0,
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  // Replicas may be behind.
  scaleReads: 'master',
  // ioredis must look for a lost node under its new address instead of retrying the old one for ever.
  clusterNodeRetryStrategy: () => null,
});

/** The same for each connection to a node of a cluster. It ends when it drops, and ioredis makes another one. */
export function neededNodeOptions(role: ConnectionRole, name: string): LegacyOptions {
  const { enableOfflineQueue: _, ...needed } = neededOptions(role, name);
  return needed;
}

/** Options for every connection that this package makes. */
export const OWN_OPTIONS: RedisOptions = {
  lazyConnect: true,
  // How soon to ask a Redis that is loading its data again. The default is a second, in which leases could end.
  maxLoadingRetryTime: 100,
  // Everything that waits is dealt with before we close, so a dead socket need not hold up the process.
  disconnectTimeout: 250,
};

/** Sentinels learn of a new primary within seconds, and asking them is cheap. */
const MAX_SENTINEL_DELAY_MS = 500;
const sentinelDelayMs = (attempt: number): number =>
  Math.min(reconnectDelayMs(attempt), MAX_SENTINEL_DELAY_MS);
/** How long a sentinel may take to answer before the next one is asked. */
const SENTINEL_TIMEOUT_MS = 2_000;

/** Options that the user can change. */
export function defaultOptions(hasSentinels = false): RedisOptions {
  return {
    // The same results as RESP 3, and faster to read.
    protocol: 2,
    retryStrategy: hasSentinels ? sentinelDelayMs : reconnectDelayMs,
    sentinelRetryStrategy: sentinelDelayMs,
    // By default ioredis waits for ever for a sentinel that accepts the connection and stays silent.
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    // Without it, ioredis ignores `tls` for the server that sentinels name, and connects in plain text.
    enableTLSForSentinelMode: true,
    reconnectOnError: reconnectOnReadOnly(),
  };
}

const READ_ONLY_RECONNECT_MS = 1_000;

/** If the server became a replica, the same address may lead to a new primary: reconnects, at most once a second. */
function reconnectOnReadOnly(): (error: Error) => boolean {
  let lastAt = -Infinity;
  return ({ message }) => {
    if (!message.includes('READONLY')) return false;
    if (performance.now() - lastAt < READ_ONLY_RECONNECT_MS) return false;
    lastAt = performance.now();
    return true;
  };
}
