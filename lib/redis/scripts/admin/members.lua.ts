/**
 * For scripts that say who is a member of a group: `sayGone` notes that one is no more, `isAlive` tells, and
 * `sayingAlive` gives what notes that one is, for any number of groups. `members` is a ZSET: consumer → until when it counts as alive (Redis time, ms). `versions` is a HASH:
 * consumer → version of this package.
 *
 * `isVersionNoted` where this process has had a row before: an earlier one of the same name can have run another version.
 *
 * Rows whose time is over go with the next renewal, so the record is as large as the group. It outlives its last row by ten
 * minutes, so that a group whose members all died can be told from one whose members say nothing. Members count for
 * different times: the one that counts longest says when the record expires, and the others leave that as it is.
 */
export const MEMBERS = `
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
local function sayingAlive(consumer, lasts, version, isVersionNoted)
  local now = membersNow()
  local over, till = string.format('(%.0f', now), string.format('%.0f', now + lasts)
  local kept = string.format('%.0f', lasts + 600000)
  return function(members, versions)
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', over)) do
      sayGone(members, versions, gone)
    end
    local added = redis.pcall('ZADD', members, till, consumer)
    if type(added) == 'table' then
      -- A full Redis refuses what adds something, unless the script has written something else before.
      redis.call('HDEL', versions, '')
      added = redis.call('ZADD', members, till, consumer)
    end
    if added == 1 or not isVersionNoted then redis.call('HSET', versions, consumer, version) end
    if #redis.call('ZRANGEBYSCORE', members, '(' .. till, '+inf', 'LIMIT', 0, 1) > 0 then return end
    redis.call('PEXPIRE', members, kept)
    redis.call('PEXPIRE', versions, kept)
  end
end
`;
