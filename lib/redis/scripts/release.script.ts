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
local ended = 0
for i = 2, #ARGV, 2 do
  local row = redis.call('HGET', KEYS[1], ARGV[i + 1])
  local mine = ARGV[1] .. ' ' .. ARGV[i] .. ' '
  if row and string.sub(row, 1, #mine) == mine then
    ended = ended + redis.call('HDEL', KEYS[1], ARGV[i + 1])
  end
end
return ended
`,
  (reply) => parseCount(reply, 'release'),
);
