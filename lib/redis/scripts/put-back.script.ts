import { parseText } from '../replies.js';
import { Script } from '../script.js';
import { PACKED_LEDGER, REMOVE_PACKED } from './packed-ledger.lua.js';

/**
 * Takes back that messages were acknowledged before their handlers (at-most-once): they did not start, and whichever
 * member asks next for what is due takes them.
 *
 * KEYS   1 stream, 2 ledger (ZSET), 3 leases (HASH), 4 retries (ZSET), 5 packed ledger (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, then for each message: entry ID, message ID
 * result a text with one letter for each message, in order: p put back, l lost, since its entry was deleted meanwhile
 * atomic because a message that is in the ledger would be found there and dropped, and one that is not pending would be
 *        nobody's.
 * twice  the lease is gone, so that what another member has taken meanwhile is left to it.
 */
export const putBackScript = new Script(
  `${PACKED_LEDGER}${REMOVE_PACKED}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local group, consumer, token = ARGV[1], ARGV[2], ARGV[3]
local answers = {}
for i = 4, #ARGV, 2 do
  local entry, id = ARGV[i], ARGV[i + 1]
  local row = redis.call('HGET', KEYS[3], id)
  local mine = token .. ' ' .. entry .. ' '
  if #redis.call('XRANGE', KEYS[1], entry, entry) == 0 then
    answers[#answers + 1] = 'l'
  else
    answers[#answers + 1] = 'p'
    if row and string.sub(row, 1, #mine) == mine then
      redis.call('XCLAIM', KEYS[1], group, consumer, 0, entry, 'FORCE', 'JUSTID')
      redis.call('ZADD', KEYS[4], now, entry)
      redis.call('ZREM', KEYS[2], id)
      removePacked(KEYS[5], id)
      redis.call('HDEL', KEYS[3], id)
    end
  end
end
return table.concat(answers)
`,
  (reply) => [...parseText(reply, 'put-back')].map((letter) => letter === 'p'),
);
