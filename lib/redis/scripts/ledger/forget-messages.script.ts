import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';
import { PACKED_LEDGER, REMOVE_PACKED } from './packed-ledger.lua.js';

/**
 * Removes message IDs from a ledger.
 *
 * KEYS   1 ledger (ZSET), 2 packed ledger (HASH)
 * ARGV   the message IDs
 * result how many of them this call removed
 * atomic because a message ID could be packed between the looks at the two parts, and stay.
 * twice  the second time they are gone.
 */
export const forgetMessagesScript = new Script(
  `${PACKED_LEDGER}${REMOVE_PACKED}
local forgotten = 0
for _, id in ipairs(ARGV) do
  local newest = redis.call('ZREM', KEYS[1], id) == 1
  if removePacked(KEYS[2], id) or newest then forgotten = forgotten + 1 end
end
return forgotten
`,
  (reply) => parseCount(reply, 'forget-messages'),
);
