import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Releases the leases of messages that failed, or that were read ahead and did not start.
 *
 * KEYS   1 leases (HASH)
 * ARGV   1 holder's token, 2 entry IDs, 3 their message IDs, both as JSON lists
 * result how many leases this call removed
 * atomic because another consumer could take a lease between the check of the holder and the removal.
 * twice  the second time the leases are gone, or belong to another holder.
 */
export const releaseLeasesScript = new Script(
  `
local entries, ids, mine, find, holds = cjson.decode(ARGV[2]), cjson.decode(ARGV[3]), {}, string.find, ARGV[1] .. ' '
local rows = redis.call('HMGET', KEYS[1], unpack(ids))
for n = 1, #ids do
  if rows[n] and find(rows[n], holds .. entries[n] .. ' ', 1, true) == 1 then mine[#mine + 1] = ids[n] end
end
return #mine == 0 and 0 or redis.call('HDEL', KEYS[1], unpack(mine))
`,
  (reply) => parseCount(reply, 'release-leases'),
);
