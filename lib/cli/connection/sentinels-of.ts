import type { RedisOptions } from 'ioredis';
import { UsageError } from '../cli.error.js';
import * as text from '../cli.messages.js';

/** Where the sentinels are that say where Redis is, as it was typed. */
export interface SentinelFlags {
  readonly sentinel?: readonly string[];
  readonly masterName?: string;
  readonly sentinelUser?: string;
  readonly sentinelPassword?: string;
  readonly sentinelTls?: boolean;
}

const PORT = 26_379;

/**
 * What a connection by way of sentinels has in the place of host and port; `undefined` where none were named.
 *
 * @param tls of the connection to Redis
 * @throws UsageError
 */
export function sentinelsOf(
  { sentinel = [], masterName, sentinelUser, sentinelPassword, sentinelTls }: SentinelFlags,
  tls: RedisOptions['tls'],
): { options: RedisOptions; where: string } | undefined {
  if (sentinel.length === 0) {
    if (masterName !== undefined) throw new UsageError(text.MASTER_NAME_ALONE);
    return undefined;
  }
  if (masterName === undefined) throw new UsageError(text.MASTER_NAME_MISSING);
  return {
    where: `primary "${masterName}" of ${sentinel.join(', ')}`,
    options: {
      name: masterName,
      sentinels: sentinel.map(addressOf),
      ...(sentinelUser === undefined ? {} : { sentinelUsername: sentinelUser }),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      ...(sentinelTls === true ? { sentinelTLS: tls ?? {} } : {}),
    },
  };
}

/** `host`, `host:port`, `[::1]:port`. */
function addressOf(given: string): { host: string; port: number } {
  const [, v6, host = v6, port = PORT] =
    /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/i.exec(given) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new UsageError(text.SENTINEL_UNKNOWN);
  }
  return { host, port: Number(port) };
}
