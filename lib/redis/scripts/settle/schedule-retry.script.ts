import { parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { ATTEMPT_MARKS, FENCE } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Postpones failed messages: counts the attempt, sets the time of the next one, and ends the lease. If the caller itself waits
 * for the next attempt, the message keeps its lease, now for that attempt, and is due for nobody else.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, or '' if there are no leases,
 *        4 lease ms if the caller keeps the messages until their next attempt, else '',
 *        then for each message: entry ID, message ID, attempts used, delay ms
 * result a text with one letter for each message, in order: k postponed, l left alone, since another consumer has it
 * atomic because a message whose attempts are not counted could be tried for ever, and one with neither a lease nor a due time
 *        would belong to nobody.
 * twice  a message that already waits with this number of attempts gets the first answer again.
 *
 * The attempt is counted first: if a command fails, what came before it stays.
 */
export const scheduleRetryScript = new Script(
  `${ATTEMPT_MARKS}${FENCE}${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[2]')}
local group, consumer, token, keepsMs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function mine(entry, id)
  if token == '' then return isPendingFor(consumer, KEYS[1], group, entry) end
  return leaseHeldBy(KEYS[2], id, token, entry)
end

local answers = {}
for i = 5, #ARGV, 4 do
  local entry, id, used, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local before, mark = attemptsOf(redis.call('HGET', KEYS[4], entry))
  if mine(entry, id) then
    -- Without leases, an earlier run may fail late.
    redis.call('HSET', KEYS[4], entry, math.max(used, before) .. endedRun(mark))
    if keepsMs == '' then
      redis.call('ZADD', KEYS[3], scoreIn(now, delay), entry)
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
