import { parseCount } from '../../read/replies.js';
import { REDRIVE_OF } from '../entry-ids.lua.js';
import { Script } from '../script.js';

/**
 * Removes dead letters for good, including those that wait to be redriven.
 *
 * KEYS   1 dead letters (stream), 2 retries (ZSET), 3 attempts (HASH)
 * ARGV   their IDs
 * result how many this call removed
 * atomic because a redrive that is requested in between would wait for a dead letter that is gone.
 * twice  the second time they are gone and not counted, so it is only sent on connections that resend nothing.
 */
export const purgeDeadLettersScript = new Script(
  `${REDRIVE_OF}
local members = {}
for i = 1, #ARGV do members[i] = redriveOf(ARGV[i]) end
local removed = redis.call('XDEL', KEYS[1], unpack(ARGV))
redis.call('ZREM', KEYS[2], unpack(members))
redis.call('HDEL', KEYS[3], unpack(members))
return removed
`,
  (reply) => parseCount(reply, 'purge-dead-letters'),
);
