import { parseCount } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { HANDED_BACK, LETTER_OF } from '../entry-ids.lua.js';
import { ATTEMPT_MARKS, FENCE } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Hands back to the group entries that were read and did not start: the next member that asks takes them, in stream order. A
 * redrive may have no lease yet: it becomes due now unless another holder has leased it.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, then for each message: entry ID, message ID, how long it still has to wait
 *        for its next attempt, ms, or '' if it may start at once
 * result how many entries this call handed over
 * atomic because an entry that is due while its lease lasts would be delayed, and one with neither a lease nor a due time would
 *        belong to nobody.
 * twice  entries that already wait keep waiting. An entry that another member has taken meanwhile is pending for that member,
 *        or has its lease, and stays there.
 *
 * All keys are read before the first write for an entry: if one holds another type, the entry stays as it was.
 */
export const handOverScript = new Script(
  `${ATTEMPT_MARKS}${FENCE}${LETTER_OF}${HANDED_BACK}${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[2]')}
local group, consumer, token = ARGV[1], ARGV[2], ARGV[3]

local function isLeftHere(entry)
  if letterOf(entry) or redis.call('ZSCORE', KEYS[3], entry) then return false end
  return isPendingFor(consumer, KEYS[1], group, entry)
end

local handed, counted = 0, redis.call('EXISTS', KEYS[4]) == 1
for i = 4, #ARGV, 3 do
  local entry, id, waitsMs = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local holder, of = string.match(redis.call('HGET', KEYS[2], id) or '', '^(%S+) (%S+) ')
  local leased = holder == token and of == entry
  -- The lease may be gone, or belong to another entry of the same message.
  if of ~= entry and letterOf(entry) then
    -- If it has to wait, the first call has set until when.
    if waitsMs == '' then handed = handed + redis.call('ZADD', KEYS[3], 'XX', 'CH', scoreIn(now, 0), entry) end
  elseif leased or of ~= entry and isLeftHere(entry) then
    local isAtOnce = waitsMs == '' and not letterOf(entry)
    local score = isAtOnce and handedBackScore(entry) or scoreIn(now, tonumber(waitsMs) or 0)
    local row = counted and redis.call('HGET', KEYS[4], entry)
    handed = handed + redis.call('ZADD', KEYS[3], score, entry)
    if leased then redis.call('HDEL', KEYS[2], id) end
    if row then
      local used, mark = attemptsOf(row)
      redis.call('HSET', KEYS[4], entry, used .. endedRun(mark))
    end
  end
end
return handed
`,
  (reply) => parseCount(reply, 'hand-over'),
);
