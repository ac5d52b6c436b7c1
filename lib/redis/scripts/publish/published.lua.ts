/**
 * Lua for the messages that were published lately: a ZSET message ID → score, and a HASH message ID → entry ID for the few
 * entry IDs that do not fit into a score.
 *
 * A score holds the entry ID: its ms times 2048, plus its sequence number; 2047 means that the entry ID is in the HASH. This
 * is exact until the year 2109.
 */
export const PUBLISHED_LEDGER = `
local function entryOf(score, id, entryIds)
  local low = score % 2048
  if low < 2047 then return string.format('%.0f-%d', (score - low) / 2048, low) end
  return redis.call('HGET', entryIds, id)
end
-- The score of an entry, and whether its ID must be put in the hash.
local function scoreOf(entry, now)
  local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  -- Entry IDs follow Redis's clock. If that was set back, they continue from the last entry.
  if seq < 2047 and ms >= now and ms < now + 1000 then return ms * 2048 + seq, false end
  return now * 2048 + 2047, true
end
-- The expiry is renewed rarely: each renewal is one more command for replicas and the append-only file.
local function keepFor(published, entryIds, window, inHash)
  local twice = string.format('%.0f', window * 2)
  if redis.call('PTTL', published) < window then redis.call('PEXPIRE', published, twice) end
  if inHash then redis.call('PEXPIRE', entryIds, string.format('%.0f', window * 2 + 1000)) end
end
-- Removes more than came in, so that it catches up, but not so much that it blocks Redis.
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

/**
 * Lua for delayed messages: a ZSET whose members are a sequence number of 16 digits and a message ID, with the due time as
 * score; and a HASH message ID → row: the same digits and, in MessagePack, `[window ms, how many entries the stream keeps or
 * '', how long it lasts or '', then the entry's field names and values]`.
 *
 * A message waits only if both exist with the same digits. If somebody deleted one of them, the other has no effect.
 */
export const WAITING_ROW = `
local function waitingRow(delayed, messages, id)
  local row = redis.call('HGET', messages, id)
  return row and redis.call('ZSCORE', delayed, string.sub(row, 1, 16) .. id) and row
end
`;
