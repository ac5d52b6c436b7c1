import { parseCount } from '../replies.js';
import { Script } from '../script.js';

/**
 * Gives leases up: of what failed, and of what was read ahead and did not start.
 *
 * KEYS   1 leases (HASH)
 * ARGV   1 holder's token, then for each message: entry ID, message ID
 * result how many leases this call ended
 * atomic because between the look at the holder and the delete another consumer could have taken the lease.
 * twice  the second time the leases are gone, or another's.
 */
export const releaseScript = new Script(
  `
local ids, mine = {}, {}
for i = 3, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
for n, row in ipairs(redis.call('HMGET', KEYS[1], unpack(ids))) do
  local its = ARGV[1] .. ' ' .. ARGV[n * 2] .. ' '
  if row and string.sub(row, 1, #its) == its then mine[#mine + 1] = ids[n] end
end
return #mine == 0 and 0 or redis.call('HDEL', KEYS[1], unpack(mine))
`,
  (reply) => parseCount(reply, 'release'),
);
