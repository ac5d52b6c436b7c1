/**
 * Lua for what was published of late: a ZSET message ID → score, and a HASH for the few whose entry ID does not fit into one.
 *
 * A score is the ms of the entry ID times 2048 plus its sequence number, so that the entry ID is in it; a sequence number
 * of 2047 says that it is in the hash. This is exact until the year 2109.
 */
export const PUBLISHED_LEDGER = `
local function entryOf(score, id, entryIds)
  local low = score % 2048
  if low < 2047 then return string.format('%.0f-%d', (score - low) / 2048, low) end
  return redis.call('HGET', entryIds, id)
end
-- The score of an entry, and whether it has to be in the hash.
local function scoreOf(entry, now)
  local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  -- The stream's clock is Redis's, unless that was set back: then the last entry's time goes on.
  if seq < 2047 and ms >= now and ms < now + 1000 then return ms * 2048 + seq, false end
  return now * 2048 + 2047, true
end
-- Renewed seldom: each time is a command more for replicas and for the append-only file.
local function keepFor(published, entryIds, window, inHash)
  local twice = string.format('%.0f', window * 2)
  if redis.call('PTTL', published) < window then redis.call('PEXPIRE', published, twice) end
  if inHash then redis.call('PEXPIRE', entryIds, string.format('%.0f', window * 2 + 1000)) end
end
-- Forgets more than comes in, so that it ends; and no more than takes a moment.
local function forgetBefore(published, entryIds, since, cameIn)
  local oldest = redis.call('ZRANGE', published, 0, 0, 'WITHSCORES')
  if not oldest[2] or tonumber(oldest[2]) >= since then return end
  local left = redis.call('ZCOUNT', published, '-inf', string.format('(%.0f', since))
  local last = math.min(left, 2 * cameIn + 100) - 1
  if redis.call('EXISTS', entryIds) == 1 then
    redis.call('HDEL', entryIds, unpack(redis.call('ZRANGE', published, 0, last)))
  end
  redis.call('ZREMRANGEBYRANK', published, 0, last)
end
`;
