import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Acknowledges an entry that was deleted from its stream while it was pending: nothing is left to handle or keep.
 *
 * KEYS   1 stream, 2 retries (ZSET), 3 attempts (HASH)
 * ARGV   1 group, 2 entry ID
 * result 1 if this call acknowledged it, else 0
 * atomic because otherwise a retry or an attempt could remain for an entry that is no longer pending.
 * twice  the second time it is already done.
 */
export const acknowledgeDeletedScript = new Script(
  `
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
local acknowledged = redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
return type(acknowledged) == 'number' and acknowledged or 0
`,
  (reply) => parseCount(reply, 'acknowledge-deleted'),
);
