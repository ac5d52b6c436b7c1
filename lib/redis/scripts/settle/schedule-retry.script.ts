import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from '../reserve/attempt-marks.lua.js';

/**
 * Puts failed messages off: counts the attempt, sets the time of the next one, and ends the lease. What the caller waits
 * for itself keeps its lease, now for the next attempt, and is not due for anybody.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, or '' where there are no leases,
 *        4 lease ms where the caller keeps the messages until their next attempt, else '',
 *        then for each message: entry ID, message ID, attempts used, delay ms
 * result a text with one letter for each message, in order: k put off, l left alone, since another consumer has it
 * atomic because an attempt that is not counted could be made for ever, and a message without lease and time is nobody's.
 * twice  what waits already with this count of attempts is answered as the first time.
 *
 * The count comes first: where Redis is out of memory, nothing after it has happened.
 */
export const scheduleRetryScript = new Script(
  `${ATTEMPT_MARKS}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local group, consumer, token, keepsMs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function mine(entry, id)
  if token == '' then
    local pending = redis.pcall('XPENDING', KEYS[1], group, entry, entry, 1)
    return not pending.err and pending[1] and pending[1][2] == consumer
  end
  local row = redis.call('HGET', KEYS[2], id)
  local prefix = token .. ' ' .. entry .. ' '
  return row and string.sub(row, 1, #prefix) == prefix
end

local answers = {}
for i = 5, #ARGV, 4 do
  local entry, id, used, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local before, mark = attemptsOf(redis.call('HGET', KEYS[4], entry))
  if mine(entry, id) then
    -- Where there are no leases, a run of before may fail late.
    redis.call('HSET', KEYS[4], entry, math.max(used, before) .. endedRun(mark))
    if keepsMs == '' then
      redis.call('ZADD', KEYS[3], string.format('%.0f', now + delay), entry)
      if token ~= '' then redis.call('HDEL', KEYS[2], id) end
    elseif token ~= '' then
      local lease = string.format('%s %s %d %.0f', token, entry, used + 1, now + keepsMs)
      redis.call('HSET', KEYS[2], id, lease)
    end
    answers[#answers + 1] = 'k'
  else
    local waits = redis.call('ZSCORE', KEYS[3], entry) and before == tonumber(used)
    answers[#answers + 1] = waits and 'k' or 'l'
  end
end
return table.concat(answers)
`,
  (reply) => [...parseText(reply, 'schedule-retry')].map((letter) => letter === 'k'),
);
