import { parseCount } from '../../read/replies.js';
import { NOW, Script } from '../script.js';
import { FIND_PACKED, PACKED_LEDGER } from './packed-ledger.lua.js';

/**
 * Adds one step of what another program recorded as processed to a ledger.
 *
 * KEYS   1 ledger (ZSET), 2 packed ledger (HASH)
 * ARGV   pairs: a message ID, and when it was processed, ms
 * result how many of them this call added
 * atomic because a message ID could be packed between the look at the two parts, and be in both.
 * twice  the second time the ledger has them.
 *
 * A full Redis refuses it, since it can be large. What the ledger has stays as it is. A time in the future, by a clock that is ahead, becomes now.
 */
export const importLedgerScript = new Script(
  `${PACKED_LEDGER}${FIND_PACKED}
${NOW}
local ids, scored = {}, {}
for n = 1, #ARGV, 2 do ids[#ids + 1] = ARGV[n] end
local packed = findPacked(KEYS[2], ids)
for n = 1, #ids do
  if not packed[n] then
    scored[#scored + 1] = string.format('%.0f', math.min(tonumber(ARGV[n * 2]), now))
    scored[#scored + 1] = ids[n]
  end
end
return #scored > 0 and redis.call('ZADD', KEYS[1], 'NX', unpack(scored)) or 0
`,
  (reply) => parseCount(reply, 'import-ledger'),
);
