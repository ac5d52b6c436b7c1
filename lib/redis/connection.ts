import { Redis, type RedisOptions } from 'ioredis';
import { ConnectionEndedError } from '../errors/connection-ended.error.js';
import type {
  ConnectionOption,
  ConnectionOptions,
  ConnectionRole,
} from '../options/connection-option.js';
import { isRedisInstance } from '../options/is-redis-instance.js';
import { AskingRedis } from './asking-redis.js';
import { keepHealthy } from './connection-health.js';
import { madeByFactory } from './made-by-factory.js';
import { nameRefusedKeys } from './missing-right.js';
import { cleanCause, errorText, hideSecrets } from './redis-errors.js';
import { defaultOptions, MADE_HERE, neededOptions } from './role-options.js';

/** A connection, and whether it is ours to close. */
export interface Connection {
  readonly client: Redis;
  readonly owned: boolean;
  /** What went wrong last with one that is ours. */
  readonly lastError?: () => unknown;
}

/** How long an answer may be overdue, and how often a connection is asked for a sign of life. */
const ANSWER_MS = 10_000;
const HEALTH_CHECK_MS = 10_000;

/**
 * A connection for `role`, not opened yet where it is made here. An instance that the user gave is used as it is, but
 * never for blocking: for that it is duplicated.
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
  if (isRedisInstance(option) && role !== 'blocking') return { client: option, owned: false };
  const client = makeClient(option, role, name);
  let lastError: unknown;
  client.on('error', (error: unknown) => {
    hideSecrets(error);
    lastError = error;
  });
  const { options } = client;
  if (options.socketTimeout !== undefined) {
    // While a read waits in Redis, nothing is overdue. In a URL it is text.
    options.socketTimeout = Number(options.socketTimeout) + blockMs;
  }
  const { reconnectOnError } = options;
  options.reconnectOnError = (error) => {
    nameRefusedKeys(error);
    return reconnectOnError?.(error) ?? false;
  };
  const { healthCheckIntervalMs = HEALTH_CHECK_MS } = extrasOf(option);
  if (healthCheckIntervalMs !== false) {
    keepHealthy(client, healthCheckIntervalMs, options.socketTimeout ?? ANSWER_MS + blockMs);
  }
  return { client, owned: true, lastError: () => lastError };
}

function makeClient(option: ConnectionOption, role: ConnectionRole, name: string): Redis {
  const ours = { ...MADE_HERE, ...neededOptions(role, name) };
  if (isRedisInstance(option)) return option.duplicate(ours);
  const defaults = defaultOptions(typeof option === 'object' && option.sentinels != null);
  if (typeof option === 'function') {
    return madeByFactory(option, { role, name, options: { ...defaults, ...ours } });
  }
  if (typeof option === 'string') return new Redis(option, { ...defaults, ...ours });
  const { url, credentials, healthCheckIntervalMs: _, ...its } = option;
  const options = { ...defaults, ...given(its), ...ours };
  if (credentials !== undefined) return new AskingRedis(url, options, credentials);
  return url === undefined ? new Redis(options) : new Redis(url, options);
}

const extrasOf = (option: ConnectionOption): ConnectionOptions =>
  typeof option === 'object' && !isRedisInstance(option) ? option : {};

/** Without what is `undefined`: that is to say nothing. */
const given = (options: RedisOptions): RedisOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** Begins to connect where nobody has, without waiting for it. */
export function openConnection({ client }: Connection): void {
  // A first attempt that fails is followed by others; the 'error' event tells of it.
  if (client.status === 'wait') client.connect().catch(() => undefined);
}

/**
 * Waits until the connection can take commands.
 *
 * @throws the signal's reason where that comes first; ConnectionEndedError where it has come to its end
 */
export function whenReady({ client, lastError }: Connection, signal: AbortSignal): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (): void => {
      client.off('ready', onReady);
      client.off('end', onEnd);
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
    const onEnd = (): void => {
      done();
      const error = lastError?.();
      reject(
        error === undefined
          ? new ConnectionEndedError(undefined)
          : new ConnectionEndedError(errorText(error), { cause: cleanCause(error) }),
      );
    };
    if (signal.aborted) return onAbort();
    if (client.status === 'end') return onEnd();
    client.once('ready', onReady);
    client.once('end', onEnd);
    signal.addEventListener('abort', onAbort);
  });
}

/** Drops the connection where it is ours, with whatever still waits on it. */
export function dropConnection({ client, owned }: Connection): void {
  if (owned) client.disconnect();
}
