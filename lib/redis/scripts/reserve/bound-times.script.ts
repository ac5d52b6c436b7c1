import { parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { LETTER_OF } from '../entry-ids.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Moves a page of due times that Redis's clock wrote when it was ahead, to the latest time that they can mean. The others stay.
 *
 * KEYS   1 retries (ZSET), 2 attempts (HASH)
 * ARGV   1 the highest score to look at, or '+inf', 2 how many
 * result the highest score of the next page, or '' after the last page
 * atomic because an entry could be taken or scheduled again between the look at it and its move.
 * twice  what was moved is not too far ahead any more.
 *
 * Pages come from the highest score down, so that what is moved is not met again.
 */
export const boundDueTimesScript = new Script(
  `${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[2]')}
local count = tonumber(ARGV[2])
local from = string.format('(%.0f', now)
local page = redis.call('ZRANGE', KEYS[1], ARGV[1], from, 'BYSCORE', 'REV', 'LIMIT', 0, count, 'WITHSCORES')
local moved = 0
for n = 1, #page, 2 do
  local latest = latestOf(tonumber(page[n + 1]), now)
  if latest then
    redis.call('ZADD', KEYS[1], 'XX', latest, page[n])
    moved = moved + 1
  end
end
if #page < 2 * count then return '' end
-- Rows with the same score are all moved, or all stay.
return moved > 0 and page[#page] or '(' .. page[#page]
`,
  (reply) => parseText(reply, 'bound-due-times'),
);

/**
 * Looks at a page of a group's pending entries for what Redis's clock wrote when it was ahead, and bounds it: such an entry is
 * idle from now on, its lease ends within a lease, and its retry is due within the longest delay.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET)
 * ARGV   1 group, 2 lease ms, 3 the longest delay of a retry that an earlier version may have scheduled, ms, 4 entry ID after
 *        which to start, or '-', 5 how many
 * result where the next page starts, or '' after the last page
 * atomic because a member could renew or settle what is looked at.
 * twice  what was bounded is not ahead any more.
 *
 * An entry that was delivered or renewed when the clock was ahead shows an idle time of 0. So does one that was renewed in this
 * very millisecond: its idle time starts again and its lease lasts as long as that of the caller, which changes nothing.
 */
export const boundLeasesScript = new Script(
  `${DUE_TIMES}${LETTER_OF}
${NOW}
${evenIfFull('KEYS[2]')}
local stream, leases, retries, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local mostMs, longestMs, from = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

-- Of each lease that ends later than it can: its ID, and its row without the end.
local late = {}
local rows = redis.call('HGETALL', leases)
for n = 1, #rows, 2 do
  local held, entry, till = string.match(rows[n + 1], '^(%S+ (%S+) %d+ )(%d+)$')
  if held and tonumber(till) > now + mostMs then late[entry] = { rows[n], held, tonumber(till) } end
end
local function endLease(entry, till)
  local lease = late[entry]
  if lease and till < lease[3] then redis.call('HSET', leases, lease[1], lease[2] .. string.format('%.0f', till)) end
end

local page = redis.pcall('XPENDING', stream, group, from == '-' and '-' or '(' .. from, '+', ARGV[5])
if page.err then return '' end
for _, row in ipairs(page) do
  local entry, holder, idle = row[1], row[2], row[3]
  if idle <= 0 then
    redis.call('XCLAIM', stream, group, holder, 0, entry, 'JUSTID')
    endLease(entry, now + mostMs)
    local due = tonumber(redis.call('ZSCORE', retries, entry) or 0)
    if due % 1 == 0 and due > now + longestMs then
      redis.call('ZADD', retries, scoreIn(now, longestMs), entry)
    end
  end
end
if #page == tonumber(ARGV[5]) then return page[#page][1] end

-- A redrive has no pending entry. It is due when its lease ends, and due times were bounded before.
for entry in pairs(late) do
  local due = letterOf(entry) and redis.call('ZSCORE', retries, entry)
  if due then endLease(entry, math.max(now, math.ceil(tonumber(due)))) end
end
return ''
`,
  (reply) => parseText(reply, 'bound-leases'),
);
