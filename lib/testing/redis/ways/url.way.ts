import { answerOf, type RedisAddress } from '../process/redis-probe.js';
import { RedisNotFoundError } from '../redis-not-found.error.js';
import { RedisStartError } from '../redis-start.error.js';
import { requireUsable } from '../redis-version.js';
import * as messages from '../testing.messages.js';
import type { Way } from './way.js';

const READY_WITHIN_MS = 5_000;
const DEFAULT_PORT = 6379;

/** The server that `REDIS_URL` names. It is somebody else's: never stopped. */
export const urlWay: Way = {
  name: 'REDIS_URL',
  async start(options) {
    if (Object.values(options).some((value) => value !== undefined)) {
      throw new RedisStartError(messages.urlNotWanted());
    }
    const url = process.env['REDIS_URL'];
    if (url === undefined || url === '') {
      throw new RedisStartError(messages.urlNotSet());
    }
    const address = await answering(url).catch((error: unknown) => {
      // Who names a server means that one: to go on with another would hide that it is down.
      throw error instanceof RedisStartError
        ? new RedisNotFoundError([{ way: urlWay.name, reason: error.message }], { cause: error })
        : error;
    });
    return {
      url,
      host: address.host,
      port: address.port,
      source: 'url',
      stop: () => Promise.resolve(),
    };
  },
};

async function answering(url: string): Promise<RedisAddress> {
  const address = parseUrl(url);
  const answer = await answerOf(address, READY_WITHIN_MS);
  if (answer === undefined) {
    throw new RedisStartError(messages.urlSilent(address.host, address.port, READY_WITHIN_MS));
  }
  requireUsable(answer.version);
  return address;
}

function parseUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if ((url?.protocol !== 'redis:' && url?.protocol !== 'rediss:') || url.hostname === '') {
    throw new RedisStartError(messages.urlInvalid());
  }
  return {
    // An IPv6 address comes in brackets, which sockets do not take.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    tls: url.protocol === 'rediss:',
  };
}
