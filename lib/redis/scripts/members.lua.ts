/**
 * For scripts that say who is a member of a group: `sayAlive` notes that one is, `sayGone` that it is no more, and
 * `isAlive` tells. `members` is a ZSET: consumer → until when it counts as alive (Redis time, ms). `versions` is a HASH:
 * consumer → version of this package.
 *
 * Rows whose time is over go with the next `sayAlive`, so the record is as large as the group. It outlives its last row by ten
 * minutes, so that a group whose members all died can be told from one whose members say nothing. Members count for
 * different times: the one that counts longest says when the record expires, and the others leave that as it is.
 */
export const MEMBERS = `
local function membersNow()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function isAlive(members, consumer)
  return tonumber(redis.call('ZSCORE', members, consumer) or 0) >= membersNow()
end
local function sayGone(members, versions, consumer)
  redis.call('ZREM', members, consumer)
  redis.call('HDEL', versions, consumer)
end
local function sayAlive(members, versions, consumer, lasts, version)
  local now = membersNow()
  -- A full Redis refuses what adds something, unless the script has written something else before.
  redis.call('HDEL', versions, '')
  for _, over in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', string.format('(%.0f', now))) do
    sayGone(members, versions, over)
  end
  redis.call('ZADD', members, string.format('%.0f', now + lasts), consumer)
  redis.call('HSET', versions, consumer, version)
  if #redis.call('ZRANGEBYSCORE', members, string.format('(%.0f', now + lasts), '+inf', 'LIMIT', 0, 1) > 0 then return end
  local kept = string.format('%.0f', lasts + 600000)
  redis.call('PEXPIRE', members, kept)
  redis.call('PEXPIRE', versions, kept)
end
`;
