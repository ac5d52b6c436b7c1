import { parseCount, parseList } from '../../read/replies.js';
import { NOW, Script } from '../script.js';

/**
 * Removes one step of what has left the window: ledger entries, and leases that ended more than a window ago.
 *
 * KEYS   1 ledger (ZSET), 2 leases (HASH)
 * ARGV   1 window ms, 2 how many ledger entries at most, 3 the cursor at which the scan of the leases continues
 * result [ledger entries removed, the cursor for the next call ('0' after the last step)]
 * atomic because a lease could be renewed between the check and its removal.
 * twice  the second call removes the next ones, which are due as well.
 */
export const purgeLedgerScript = new Script(
  `
${NOW}
local oldest = now - ARGV[1]
local due = redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', oldest))
local step = math.min(due, tonumber(ARGV[2]))
if step > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, step - 1) end
local scan = redis.call('HSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[2])
local ended = {}
for i = 1, #scan[2], 2 do
  local till = tonumber(string.match(scan[2][i + 1], ' (%d+)$'))
  if not till or till < oldest then redis.call('HDEL', KEYS[2], scan[2][i]) end
end
return { step, scan[1] }
`,
  (reply) => {
    const [removed, cursor] = parseList(reply, 'purge-ledger');
    return { removed: parseCount(removed, 'purge-ledger'), cursor: String(cursor) };
  },
);
