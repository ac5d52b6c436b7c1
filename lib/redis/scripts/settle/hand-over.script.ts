import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from '../reserve/attempt-marks.lua.js';
import { HANDED_BACK } from '../reserve/handed-back.lua.js';
import { REDRIVE_MEMBER } from '../reserve/redrive-member.lua.js';

/**
 * Hands entries that were read and did not start back to the group: whichever member asks next takes them, in stream order.
 * A redrive may have no lease yet: it is due now unless another holder has leased it.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, then for each message: entry ID, message ID, for how long it
 *        still has to wait for its next attempt, in ms, or '' if it may start at once
 * result how many entries were handed over by this call
 * atomic because an entry that is due while its lease lasts would be put off, and one without a lease that is not due
 *        would be nobody's.
 * twice  what waits already goes on waiting. An entry that another member has taken meanwhile is pending for it, or has its
 *        lease, and is left to it.
 */
export const handOverScript = new Script(
  `${ATTEMPT_MARKS}${REDRIVE_MEMBER}${HANDED_BACK}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local group, consumer, token = ARGV[1], ARGV[2], ARGV[3]

local function isLeftHere(entry)
  if letterOf(entry) or redis.call('ZSCORE', KEYS[3], entry) then return false end
  local pending = redis.pcall('XPENDING', KEYS[1], group, entry, entry, 1)
  return not pending.err and pending[1] and pending[1][2] == consumer
end

local handed, counted = 0, redis.call('EXISTS', KEYS[4]) == 1
for i = 4, #ARGV, 3 do
  local entry, id, waitsMs = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local holder, of = string.match(redis.call('HGET', KEYS[2], id) or '', '^(%S+) (%S+) ')
  local leased = holder == token and of == entry
  -- The lease may be gone, or that of another entry of the same message.
  if of ~= entry and letterOf(entry) then
    -- Where it has to wait, a first sending has said until when.
    if waitsMs == '' then handed = handed + redis.call('ZADD', KEYS[3], 'XX', 'CH', now, entry) end
  elseif leased or of ~= entry and isLeftHere(entry) then
    local isAtOnce = waitsMs == '' and not letterOf(entry)
    local score = isAtOnce and handedBackScore(entry) or string.format('%.0f', now + (tonumber(waitsMs) or 0))
    handed = handed + redis.call('ZADD', KEYS[3], score, entry)
    if leased then redis.call('HDEL', KEYS[2], id) end
    local row = counted and redis.call('HGET', KEYS[4], entry)
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
