import { DUE_TIMES } from './due-times.lua.js';
import { evenIfFull } from './script.js';

/** How long it is known that the last member has left: a service that restarts has a member again by then. */
const LEFT_FOR_MS = 60_000;

/**
 * Lua for the record of a group's members. `members` is a ZSET: consumer → alive until (Redis time, ms). `versions` is a HASH:
 * consumer → version of this package. `sayingAlive` returns a function that records a member as alive in any number of groups.
 *
 * `isVersionNoted` is true if this process has written its row before. If not, the row may have the version of an earlier
 * process with the same name.
 *
 * A renewal removes rows that have expired, so the record never grows beyond the group. The record itself expires ten minutes
 * after its last row, so that a group whose members all died differs from one whose members record nothing. The member that
 * counts as alive for the longest time sets this expiry.
 */
export const MEMBERS = `${DUE_TIMES}
local membersTime
local function membersNow()
  if not membersTime then
    local time = redis.call('TIME')
    membersTime = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return membersTime
end
local function isAlive(members, consumer)
  return tonumber(redis.call('ZSCORE', members, consumer) or 0) >= membersNow()
end
local function sayGone(members, versions, consumer)
  redis.call('ZREM', members, consumer)
  redis.call('HDEL', versions, consumer)
end
-- The last one leaves a note: a group that is between two members differs from one that nobody reads.
local function sayLeft(members, versions, left, consumer)
  local was = redis.call('ZSCORE', members, consumer)
  sayGone(members, versions, consumer)
  if was and redis.call('EXISTS', members) == 0 then redis.call('SET', left, '1', 'PX', ${LEFT_FOR_MS}) end
end
local function sayingAlive(consumer, lasts, version, isVersionNoted)
  local now = membersNow()
  local over, till = string.format('(%.0f', now), scoreIn(now, lasts)
  local kept = string.format('%.0f', lasts + 600000)
  return function(members, versions)
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', over)) do
      sayGone(members, versions, gone)
    end
    ${evenIfFull('versions')}
    local added = redis.call('ZADD', members, till, consumer)
    if added == 1 or not isVersionNoted then redis.call('HSET', versions, consumer, version) end
    local later = redis.call('ZRANGEBYSCORE', members, '(' .. till, '+inf', 'WITHSCORES')
    for n = 1, #later, 2 do
      -- A row of an earlier version does not say how long it lasts.
      local score = tonumber(later[n + 1])
      local latest = latestOf(score, now) or (score % 1 == 0 and score > now + 10 * lasts and till)
      if latest then redis.call('ZADD', members, latest, later[n]) end
    end
    if #later > 0 then return end
    redis.call('PEXPIRE', members, kept)
    redis.call('PEXPIRE', versions, kept)
  end
end
`;
