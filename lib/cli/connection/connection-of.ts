import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';
import type { ConnectionOption } from '../../options/connection-option.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { UsageError } from '../cli.error.js';
import * as text from '../cli.messages.js';
import { type SentinelFlags, sentinelsOf } from './sentinels-of.js';

/** Where Redis is, as it was typed. */
export interface ConnectionFlags extends SentinelFlags {
  readonly url: string;
  readonly cluster?: boolean;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServername?: string;
  readonly insecure?: boolean;
}

/** How to connect, once, and where that goes to as it may be shown. */
export interface ConnectionTarget {
  readonly connection: ConnectionOption;
  readonly where: string;
}

/** ioredis asks this before each further attempt: there is none. */
const ONCE = (): null => null;

/** @throws UsageError which never holds the URL: there may be a password in it */
export function connectionOf(flags: ConnectionFlags): ConnectionTarget {
  const url = parsed(flags.url);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
  const port = url.port === '' ? 6379 : Number(url.port);
  const db = url.pathname === '' || url.pathname === '/' ? 0 : Number(url.pathname.slice(1));
  if (!Number.isInteger(db) || db < 0) throw new UsageError(text.URL_UNKNOWN);
  const tls = tlsOf(flags, url);
  const sentinels = sentinelsOf(flags, tls);
  const address = sentinels?.where ?? `${url.hostname || host}:${port}`;
  const where = `${address}${tls === undefined ? '' : ' (TLS)'}`;
  const its = {
    ...(url.username === '' ? {} : { username: decoded(url.username) }),
    ...(url.password === '' ? {} : { password: decoded(url.password) }),
    ...(tls === undefined ? {} : { tls }),
  };
  if (flags.cluster !== true) {
    const at = sentinels?.options ?? { host, port };
    const once = { retryStrategy: ONCE, sentinelRetryStrategy: ONCE };
    return { where, connection: { ...at, db, ...its, ...once } };
  }
  if (sentinels !== undefined) throw new UsageError(text.CLUSTER_OR_SENTINEL);
  if (db !== 0) throw new UsageError(text.CLUSTER_DATABASE);
  const options = { redisOptions: its, clusterRetryStrategy: ONCE };
  return { where, connection: { cluster: [{ host, port }], options } };
}

function parsed(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'redis:' && url?.protocol !== 'rediss:') {
    throw new UsageError(text.URL_UNKNOWN);
  }
  return url;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UsageError(text.URL_UNKNOWN);
  }
}

function tlsOf(flags: ConnectionFlags, url: URL): RedisOptions['tls'] {
  const { tls = false, tlsCa, tlsCert, tlsKey, tlsServername, insecure = false } = flags;
  const files = [tlsCa, tlsCert, tlsKey, tlsServername].some((flag) => flag !== undefined);
  if (url.protocol === 'redis:' && !tls && !files && !insecure) return undefined;
  return {
    ...(tlsCa === undefined ? {} : { ca: read('--tls-ca', tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: read('--tls-cert', tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: read('--tls-key', tlsKey) }),
    ...(tlsServername === undefined ? {} : { servername: tlsServername }),
    rejectUnauthorized: !insecure,
  };
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(text.fileUnreadable(option, path, errorText(error)));
  }
}
