import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';
import type { ConnectionOption } from '../../options/connection-option.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { UsageError } from '../cli.error.js';

/** The options that say where Redis is. */
export interface ConnectionFlags {
  readonly url: string;
  readonly cluster?: boolean;
  readonly sentinel?: readonly string[];
  readonly masterName?: string;
  readonly sentinelUser?: string;
  readonly sentinelPassword?: string;
  readonly sentinelTls?: boolean;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServername?: string;
  readonly insecure?: boolean;
}

/** How to connect, and the address as it may be shown. */
export interface ConnectionTarget {
  readonly connection: ConnectionOption;
  readonly where: string;
}

const URL_UNKNOWN =
  'the URL of Redis has to look like redis://user:password@host:6379/0 or rediss://… (it is not shown, since it may hold a password)';

const SENTINEL_PORT = 26_379;

/** Tells ioredis not to reconnect. */
const NEVER = (): null => null;

/** @throws UsageError, which never contains the URL: there may be a password in it */
export function connectionOf(flags: ConnectionFlags): ConnectionTarget {
  const url = parsed(flags.url);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
  const port = url.port === '' ? 6379 : Number(url.port);
  const db = url.pathname === '' || url.pathname === '/' ? 0 : Number(url.pathname.slice(1));
  if (!Number.isInteger(db) || db < 0) throw new UsageError(URL_UNKNOWN);
  const tls = tlsOf(flags, url);
  const sentinels = sentinelsOf(flags, tls);
  const address = sentinels?.where ?? `${url.hostname || host}:${port}`;
  const where = `${address}${tls === undefined ? '' : ' (TLS)'}`;
  const credentials = {
    ...(url.username === '' ? {} : { username: decoded(url.username) }),
    ...(url.password === '' ? {} : { password: decoded(url.password) }),
    ...(tls === undefined ? {} : { tls }),
  };
  if (flags.cluster !== true) {
    const at = sentinels?.options ?? { host, port };
    const once = { retryStrategy: NEVER, sentinelRetryStrategy: NEVER };
    return { where, connection: { ...at, db, ...credentials, ...once } };
  }
  if (sentinels !== undefined) {
    throw new UsageError('--cluster and --sentinel exclude each other: give one of them');
  }
  if (db !== 0) throw new UsageError('a Redis Cluster has only database 0');
  const options = { redisOptions: credentials, clusterRetryStrategy: NEVER };
  return { where, connection: { cluster: [{ host, port }], options } };
}

function parsed(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'redis:' && url?.protocol !== 'rediss:') {
    throw new UsageError(URL_UNKNOWN);
  }
  return url;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UsageError(URL_UNKNOWN);
  }
}

function tlsOf(flags: ConnectionFlags, url: URL): RedisOptions['tls'] {
  const { tls = false, tlsCa, tlsCert, tlsKey, tlsServername, insecure = false } = flags;
  const details = [tlsCa, tlsCert, tlsKey, tlsServername].some((flag) => flag !== undefined);
  if (url.protocol === 'redis:' && !tls && !details && !insecure) return undefined;
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
    throw new UsageError(`${option}: ${path} cannot be read: ${errorText(error)}`);
  }
}

/** What replaces host and port if sentinels are given. */
function sentinelsOf(
  { sentinel = [], masterName, sentinelUser, sentinelPassword, sentinelTls }: ConnectionFlags,
  tls: RedisOptions['tls'],
): { options: RedisOptions; where: string } | undefined {
  if (sentinel.length === 0) {
    if (masterName === undefined) return undefined;
    throw new UsageError('--master-name is only for --sentinel <host:port>');
  }
  if (masterName === undefined) {
    throw new UsageError(
      '--sentinel needs --master-name: the sentinels\' name for the primary ("sentinel monitor <name> …")',
    );
  }
  return {
    where: `primary "${masterName}" of ${sentinel.join(', ')}`,
    options: {
      name: masterName,
      sentinels: sentinel.map(sentinelAddress),
      ...(sentinelUser === undefined ? {} : { sentinelUsername: sentinelUser }),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      ...(sentinelTls === true ? { sentinelTLS: tls ?? {} } : {}),
    },
  };
}

function sentinelAddress(given: string): { host: string; port: number } {
  const [, v6, host = v6, port = SENTINEL_PORT] =
    /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/i.exec(given) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new UsageError('--sentinel has to look like host, host:26379 or [::1]:26379');
  }
  return { host, port: Number(port) };
}
