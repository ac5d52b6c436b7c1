import { answerOf, type RedisAddress, requireUsable } from '../process/redis-probe.js';
import { RedisNotFoundError, RedisStartError } from '../start-redis.errors.js';
import type { Source } from '../started-redis.js';

const READY_WITHIN_MS = 5_000;
const DEFAULT_PORT = 6379;

/** The server of `REDIS_URL`. It belongs to somebody else, and is never stopped. */
export const urlSource: Source = {
  name: 'REDIS_URL',
  async start(options) {
    if (Object.values(options).some((value) => value !== undefined)) {
      throw new RedisStartError(
        'not used, since the options ask for a new server (args, port, dir or binary)',
      );
    }
    const url = process.env['REDIS_URL'];
    if (url === undefined || url === '') {
      throw new RedisStartError('the environment variable REDIS_URL is not set');
    }
    const { host, port } = await answering(url).catch((error: unknown) => {
      // The user wants this server: trying another source would hide that it is down.
      throw error instanceof RedisStartError
        ? new RedisNotFoundError([{ way: urlSource.name, reason: error.message }], { cause: error })
        : error;
    });
    return { url, host, port, source: 'url', stop: () => Promise.resolve() };
  },
};

async function answering(url: string): Promise<RedisAddress> {
  const address = parseUrl(url);
  const answer = await answerOf(address, READY_WITHIN_MS);
  if (answer === undefined) {
    const { host, port } = address;
    throw new RedisStartError(
      `REDIS_URL is set, but no Redis answers at ${host}:${port} within ${READY_WITHIN_MS} ms`,
    );
  }
  requireUsable(answer.version);
  return address;
}

function parseUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if ((url?.protocol !== 'redis:' && url?.protocol !== 'rediss:') || url.hostname === '') {
    throw new RedisStartError('REDIS_URL has to be redis://host:port or rediss://host:port');
  }
  return {
    // URLs put an IPv6 address in brackets, which sockets do not accept.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    tls: url.protocol === 'rediss:',
  };
}
