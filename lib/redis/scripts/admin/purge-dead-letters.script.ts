import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Removes dead letters for good, also such as wait to run again.
 *
 * KEYS   1 dead letters (stream), 2 retries (ZSET), 3 attempts (HASH)
 * ARGV   their IDs
 * result how many were removed by this call
 * atomic because a redrive could be asked for between the two, and would wait for a dead letter that is gone.
 * twice  the second time they are gone, and not counted: so it is sent where nothing is resent.
 */
export const purgeDeadLettersScript = new Script(
  `
local members = {}
for i = 1, #ARGV do members[i] = 'dead-letter:' .. ARGV[i] end
local removed = redis.call('XDEL', KEYS[1], unpack(ARGV))
redis.call('ZREM', KEYS[2], unpack(members))
redis.call('HDEL', KEYS[3], unpack(members))
return removed
`,
  (reply) => parseCount(reply, 'purge-dead-letters'),
);
