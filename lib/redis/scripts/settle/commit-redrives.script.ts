import { parseCount } from '../../read/replies.js';
import { LETTER_OF } from '../entry-ids.lua.js';
import { evenIfFull } from '../even-if-full.lua.js';
import { NOW_TEXT, Script } from '../script.js';

/**
 * Records redrives whose handlers succeeded. Only their dead letters exist: no entry is pending.
 *
 * KEYS   1 ledger (ZSET), 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH), 5 dead letters (stream)
 * ARGV   1 '1' if there is a ledger, then for each: the redrive's ID, message ID, the ID of its lease
 * result how many dead letters this call removed
 * atomic because a message in the ledger whose dead letter remains would look failed, and a dead letter that is removed without
 *        a ledger entry would run again if its message is published again.
 * twice  the second time all of it is already done. It needs no fence: a late success is still a success.
 *
 * The ledger is written first: if a command fails, what came before it stays.
 */
export const commitRedrivesScript = new Script(
  `${LETTER_OF}
${NOW_TEXT}
${evenIfFull('KEYS[2]')}
local removed = 0
for i = 2, #ARGV, 3 do
  local member, id, lease = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if ARGV[1] == '1' then redis.call('ZADD', KEYS[1], now, id) end
  removed = removed + redis.call('XDEL', KEYS[5], letterOf(member))
  redis.call('HDEL', KEYS[2], lease)
  redis.call('ZREM', KEYS[3], member)
  redis.call('HDEL', KEYS[4], member)
end
return removed
`,
  (reply) => parseCount(reply, 'commit-redrives'),
);
