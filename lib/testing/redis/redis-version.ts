import { RedisStartError } from './redis-start.error.js';
import { tooOld } from './testing.messages.js';

const MINIMUM = { major: 6, minor: 2 };

/**
 * Refuses a server that lacks what the transport needs. Valkey, too, tells a Redis version: the one that it is
 * compatible with. A server that does not tell is trusted.
 *
 * @throws {@link RedisStartError} when it is older.
 */
export function requireUsable(version: string | undefined): void {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '')?.map(Number) ?? [];
  if (version === undefined || major === undefined || minor === undefined) {
    return;
  }
  if (major < MINIMUM.major || (major === MINIMUM.major && minor < MINIMUM.minor)) {
    throw new RedisStartError(tooOld(version, `${MINIMUM.major}.${MINIMUM.minor}`));
  }
}
