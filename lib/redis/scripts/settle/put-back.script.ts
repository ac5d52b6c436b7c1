import { parseText } from '../../read/replies.js';
import { HANDED_BACK } from '../entry-ids.lua.js';
import { FIND_PACKED, PACKED_LEDGER, REMOVE_PACKED } from '../ledger/packed-ledger.lua.js';
import { evenIfFull, Script } from '../script.js';

/**
 * Undoes the early acknowledgement of messages that did not start (at-most-once): the next member that asks takes them, in
 * stream order.
 *
 * KEYS   1 stream, 2 ledger (ZSET), 3 retries (ZSET), 4 packed ledger (HASH), 5 this call (string)
 * ARGV   1 group, 2 consumer, 3 how long to remember the call, ms, then for each message: entry ID, message ID, when it was
 *        recorded, ms
 * result a text with one letter for each message, in order: p put back, l lost, since its entry was deleted meanwhile
 * atomic because a message that stays in the ledger would be dropped as a duplicate, and one that is not pending would belong
 *        to nobody.
 * twice  KEYS[5] has the answer, and what another member has taken meanwhile stays there.
 *
 * All keys are read before the first write: a message that is pending and still in the ledger would be dropped as a duplicate.
 *
 * If the ledger has the message with another time, it left the window, and was published and handled again since.
 */
export const putBackScript = new Script(
  `${PACKED_LEDGER}${FIND_PACKED}${REMOVE_PACKED}${HANDED_BACK}
local answered = redis.call('GET', KEYS[5])
if answered then return answered end
${evenIfFull('KEYS[4]')}
local group, consumer = ARGV[1], ARGV[2]
redis.call('ZSCORE', KEYS[3], '')
local answers = {}
for i = 4, #ARGV, 3 do
  local entry, id, at = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  if #redis.call('XRANGE', KEYS[1], entry, entry) == 0 then
    answers[#answers + 1] = 'l'
  else
    answers[#answers + 1] = 'p'
    local packed = findPacked(KEYS[4], { id })[1] or 0
    local found = math.max(tonumber(redis.call('ZSCORE', KEYS[2], id) or 0), packed)
    if found == at or found == 0 then
      redis.call('XCLAIM', KEYS[1], group, consumer, 0, entry, 'FORCE', 'JUSTID')
      redis.call('ZADD', KEYS[3], handedBackScore(entry), entry)
      redis.call('ZREM', KEYS[2], id)
      removePacked(KEYS[4], id)
    end
  end
end
answered = table.concat(answers)
redis.call('SET', KEYS[5], answered, 'PX', ARGV[3])
return answered
`,
  (reply) => [...parseText(reply, 'put-back')].map((letter) => letter === 'p'),
);
