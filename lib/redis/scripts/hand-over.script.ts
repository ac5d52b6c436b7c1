import { parseCount } from '../replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from './attempt-marks.lua.js';

/**
 * Gives entries that were read and did not start to the group: whichever member asks next for what is due takes them.
 *
 * KEYS   1 leases (HASH), 2 retries (ZSET), 3 attempts (HASH)
 * ARGV   1 holder's token, then for each message: entry ID, message ID
 * result how many entries were handed over by this call
 * atomic because an entry that is due while its lease lasts would be put off, and one without a lease that is not due
 *        would be nobody's.
 * twice  an entry that another member has taken meanwhile has its lease, and is left to it.
 */
export const handOverScript = new Script(
  `${ATTEMPT_MARKS}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local handed, counted = 0, redis.call('EXISTS', KEYS[3]) == 1
for i = 2, #ARGV, 2 do
  local entry, id = ARGV[i], ARGV[i + 1]
  local row = redis.call('HGET', KEYS[1], id)
  local mine = ARGV[1] .. ' ' .. entry .. ' '
  if not row or string.sub(row, 1, #mine) == mine then
    handed = handed + redis.call('ZADD', KEYS[2], now, entry)
    redis.call('HDEL', KEYS[1], id)
    local row = counted and redis.call('HGET', KEYS[3], entry)
    if row then
      local used, mark = attemptsOf(row)
      redis.call('HSET', KEYS[3], entry, used .. endedRun(mark))
    end
  end
end
return handed
`,
  (reply) => parseCount(reply, 'hand-over'),
);
