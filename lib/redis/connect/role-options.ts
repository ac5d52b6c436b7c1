import type { RedisOptions } from 'ioredis';
import type { ConnectionRole, LegacyOptions } from '../../options/connection-option.js';
import { reconnectDelayMs } from './reconnect-delay.js';

/** What answers to nobody but its caller: it is told at once, and asks again where it wants to. */
const TOLD_AT_ONCE: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
};

/** Scripts can be sent twice, so they wait for a new connection. Reads and publishes are told at once. */
const BY_ROLE: Record<ConnectionRole, RedisOptions> = {
  commands: {
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: true,
    enableOfflineQueue: true,
  },
  blocking: TOLD_AT_ONCE,
  publish: TOLD_AT_ONCE,
  operator: TOLD_AT_ONCE,
};

/** After a server became a replica under a connection: how often at the most it is made anew, in ms. */
const NOT_SOONER_MS = 1_000;

/**
 * What has to be so for this package to work, whatever else is set for the connection.
 *
 * @param name shown by `CLIENT LIST`
 */
export function neededOptions(role: ConnectionRole, name: string): LegacyOptions {
  return {
    ...BY_ROLE[role],
    connectionName: name.replace(/[^!-~]/g, '_'),
    // A command that is given up on the way may be executed all the same, and what a read brought is lost to sight.
    commandTimeout: undefined,
    blockingTimeout: undefined,
    enableAutoPipelining: false,
    stringNumbers: false,
    // Replies have the same form with RESP 2 and 3 as long as this stays what it is by default.
    replyMapping: 'legacy',
  };
}

/** Sentinels know within seconds which server is the primary now, and asking them costs little: in ms. */
const ASK_SENTINELS_MS = 500;
const askAgainMs = (attempt: number): number =>
  Math.min(reconnectDelayMs(attempt), ASK_SENTINELS_MS);
/** How long one sentinel may take before the next is asked, in ms. */
const SENTINEL_ANSWER_MS = 2_000;

/** What holds where the connection says nothing else. */
export function defaultOptions(hasSentinels = false): RedisOptions {
  return {
    // The same results as RESP 3, and faster to read.
    protocol: 2,
    retryStrategy: hasSentinels ? askAgainMs : reconnectDelayMs,
    sentinelRetryStrategy: askAgainMs,
    // ioredis waits for ever for a sentinel that took the connection and is silent.
    sentinelCommandTimeout: SENTINEL_ANSWER_MS,
    // Else ioredis leaves "tls" aside, and speaks in the clear, where sentinels say where Redis is.
    enableTLSForSentinelMode: true,
    reconnectOnError: leavesReplicas(),
  };
}

/** What holds for each connection that is made here. */
export const MADE_HERE: RedisOptions = {
  lazyConnect: true,
  // A Redis that loads its data is asked again this soon; by default after a second, in which leases end.
  maxLoadingRetryTime: 100,
  // What waits was dealt with before we close, so a socket that is dead need not hold the process any longer.
  disconnectTimeout: 250,
};

/** A server that became a replica under its connections: behind the same name there may be another primary by now. */
function leavesReplicas(): (error: Error) => boolean {
  let lastAt = -Infinity;
  return ({ message }) => {
    if (!message.includes('READONLY') || performance.now() - lastAt < NOT_SOONER_MS) return false;
    lastAt = performance.now();
    return true;
  };
}
