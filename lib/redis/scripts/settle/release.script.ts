import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Gives leases up: of what failed, and of what was read ahead and did not start.
 *
 * KEYS   1 leases (HASH)
 * ARGV   1 holder's token, 2 entry IDs, 3 their message IDs, both as JSON lists
 * result how many leases this call ended
 * atomic because between the look at the holder and the delete another consumer could have taken the lease.
 * twice  the second time the leases are gone, or another's.
 */
export const releaseScript = new Script(
  `
local entries, ids, mine, find, holds = cjson.decode(ARGV[2]), cjson.decode(ARGV[3]), {}, string.find, ARGV[1] .. ' '
local rows = redis.call('HMGET', KEYS[1], unpack(ids))
for n = 1, #ids do
  if rows[n] and find(rows[n], holds .. entries[n] .. ' ', 1, true) == 1 then mine[#mine + 1] = ids[n] end
end
return #mine == 0 and 0 or redis.call('HDEL', KEYS[1], unpack(mine))
`,
  (reply) => parseCount(reply, 'release'),
);
