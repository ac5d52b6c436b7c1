import { executablePath } from '../process/executable-path.js';
import { LocalRedis } from '../process/local-redis.js';
import { RedisStartError } from '../redis-start.error.js';
import * as messages from '../testing.messages.js';
import type { Way } from './way.js';

/** The server programs that serve, the preferred one first. */
export const SERVER_PROGRAMS: readonly string[] = ['redis-server', 'valkey-server'];

/** A server program of this machine, as our own process. */
export const binaryWay: Way = {
  name: SERVER_PROGRAMS.join(' or '),
  async start(options) {
    const binary = options.binary ?? (await executablePath(...SERVER_PROGRAMS));
    if (binary === undefined) {
      throw new RedisStartError(messages.notOnPath(SERVER_PROGRAMS));
    }
    return LocalRedis.start(binary, options, 'binary');
  },
};
