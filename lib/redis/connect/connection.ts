import type { Cluster, Redis } from 'ioredis';
import { ConnectionEndedError } from '../../errors/redis.errors.js';
import {
  type ConnectionOption,
  type ConnectionRole,
  isRedisInstance,
} from '../../options/connection-option.js';
import { withKeysNamed } from '../server/redis-errors.js';
import { asClient, clusterOf } from './cluster-client.js';
import { faultOf, followFaults, ignoreLateErrors, isRefusedDatabase } from './connection-faults.js';
import { addedOptions, makeClient } from './make-client.js';

/** A connection, and whether this package has to close it. */
export interface Connection {
  readonly client: Redis;
  readonly owned: boolean;
}

/** How long an answer may be overdue, and how often a health check is sent. */
const ANSWER_MS = 10_000;
const HEALTH_CHECK_MS = 10_000;

/**
 * Makes a connection for `role`, without opening it. A client that the user passed in is used as it is, except for blocking
 * reads: those get a duplicate of it.
 *
 * @param name shown by `CLIENT LIST`
 * @param blockMs how long its commands wait in Redis
 */
export function connectionFor(
  option: ConnectionOption,
  role: ConnectionRole,
  name: string,
  blockMs = 0,
): Connection {
  if (isRedisInstance(option) && role !== 'blocking') {
    return { client: asClient(option), owned: false };
  }
  return ownConnection(makeClient(option, role, name), option, blockMs);
}

/** A connection that this package closes, with its errors recorded and its health checked. */
export function ownConnection(
  client: Redis,
  option: ConnectionOption,
  blockMs: number,
): Connection {
  const connection = { client, owned: true };
  followFaults(client);
  const { healthCheckIntervalMs = HEALTH_CHECK_MS } = addedOptions(option);
  const cluster = clusterOf(client);
  if (cluster !== undefined) {
    cluster.on('+node', (node: Redis) => {
      node.on('error', () => ignoreLateErrors(node));
      insistOnDatabase(node);
    });
    if (healthCheckIntervalMs !== false) checkNodes(cluster, healthCheckIntervalMs);
    return connection;
  }
  insistOnDatabase(client);
  const { options } = client;
  if (options.socketTimeout !== undefined) {
    // A read that waits in Redis is not overdue. From a URL, the option is text.
    options.socketTimeout = Number(options.socketTimeout) + blockMs;
  }
  options.reconnectOnError = withKeysNamed(options.reconnectOnError);
  if (healthCheckIntervalMs !== false) {
    keepHealthy(client, healthCheckIntervalMs, options.socketTimeout ?? ANSWER_MS + blockMs);
  }
  return connection;
}

/** If Redis refuses the database, ioredis goes on with database 0: connects again instead, until Redis takes it. */
function insistOnDatabase(client: Redis): void {
  client.on('error', (error: unknown) => {
    if (!isRefusedDatabase(error)) return;
    client.disconnect(true);
    client.stream.destroy();
  });
}

/** Opens a connection that nobody has opened yet, without waiting for it. */
export function openConnection({ client }: Connection): void {
  // ioredis retries a failed first attempt, and reports it by the 'error' event.
  if (client.status === 'wait') client.connect().catch(() => undefined);
}

/** Closes an owned connection. Commands that still wait on it fail. */
export function dropConnection({ client, owned }: Connection): void {
  if (owned) client.disconnect();
}

/**
 * Waits until the connection can take commands.
 *
 * @throws the signal's reason if it aborts first; ConnectionEndedError if the connection has ended
 */
export function whenReady(
  { client }: Pick<Connection, 'client'>,
  signal: AbortSignal,
): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const stopListening = (): void => {
      client.off('ready', onReady);
      client.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const onReady = (): void => {
      stopListening();
      resolve();
    };
    const onAbort = (): void => {
      stopListening();
      reject(signal.reason);
    };
    const onEnd = (): void => {
      stopListening();
      const fault = faultOf(client);
      reject(
        fault?.cause === undefined
          ? new ConnectionEndedError(undefined)
          : new ConnectionEndedError(fault.reason, { cause: fault.cause }),
      );
    };
    if (signal.aborted) return onAbort();
    if (client.status === 'end') return onEnd();
    client.once('ready', onReady);
    client.once('end', onEnd);
    signal.addEventListener('abort', onAbort);
  });
}

/** After the event loop was blocked, answers that arrived meanwhile still have to be read. */
const READ_FIRST_MS = 100;

/**
 * Pings a connection regularly, and drops it if no answer comes, so that ioredis reconnects. Otherwise commands sent into a
 * connection that died silently would wait until the operating system gives up.
 *
 * @param intervalMs between an answer and the next ping
 * @param answerMs how long an answer may take
 */
export function keepHealthy(client: Redis, intervalMs: number, answerMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  const after = (ms: number, callback: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(callback, ms).unref();
  };
  const ask = (): void => {
    if (client.status !== 'ready') return;
    const { stream } = client;
    const drop = (): void => void stream.destroy(new Error(`no answer within ${answerMs} ms`));
    after(answerMs, () => after(READ_FIRST_MS, drop));
    const onAnswer = (): void => {
      if (client.stream === stream) after(intervalMs, ask);
    };
    // A refusal is an answer too.
    client.ping().then(onAnswer, onAnswer);
  };
  client.on('ready', () => after(intervalMs, ask));
  client.on('close', () => clearTimeout(timer));
}

/** Checks the health of each node's connection, from when it is made. */
function checkNodes(cluster: Cluster, intervalMs: number): void {
  const answerMs = cluster.options.redisOptions?.socketTimeout ?? ANSWER_MS;
  cluster.on('+node', (node: Redis) => keepHealthy(node, intervalMs, answerMs));
}
