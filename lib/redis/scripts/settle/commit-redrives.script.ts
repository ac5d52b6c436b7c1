import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';
import { REDRIVE_MEMBER } from '../reserve/redrive-member.lua.js';

/**
 * Records redrives whose handlers succeeded. Their dead letters are all there is of them: no entry is pending.
 *
 * KEYS   1 ledger (ZSET), 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH), 5 dead letters (stream)
 * ARGV   1 '1' where there is a ledger, then for each: its member of the retries, message ID, the ID of its lease
 * result how many dead letters were removed by this call
 * atomic because a message in the ledger whose dead letter is still there would look failed, and a dead letter that is
 *        gone without its ledger entry would run again when it is published again.
 * twice  the second time all of it is done already. It needs no fence: who succeeded late succeeded all the same.
 *
 * The ledger comes first: where Redis is out of memory, nothing after it has happened.
 */
export const commitRedrivesScript = new Script(
  `${REDRIVE_MEMBER}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
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
