/**
 * Lua for times in the future that are the scores of a ZSET: when a retry or a delayed message is due, until when a member
 * counts as alive. If Redis's clock was ahead when one was written and was set back since, it would lie too far in the future
 * for as long as the clock was ahead.
 *
 * So a score says how far ahead it was set, in the fraction of the ms before it: 0 if it does not say, as earlier versions wrote
 * it, else one of 1023 steps of 4.4 %, rounded up. Such scores are exact until the year 2109.
 *
 * `scoreIn` returns the score of a time that many ms from now. `latestOf` returns the latest time that a score can mean now,
 * or nil if it is not too far ahead, or does not say.
 */
export const DUE_TIMES = `
local function scoreIn(now, ms)
  local step = math.ceil(16 * math.log(math.max(ms, 1)) / math.log(2))
  return string.format('%.4f', math.floor(now + ms) - 1 + math.min(1 + step, 1023) / 1024)
end
local function latestOf(score, now)
  local step = math.floor(score % 1 * 1024 + 0.5)
  if score <= now or step == 0 then return nil end
  local most = 2 ^ ((step - 1) / 16)
  if score - now <= most + 1 then return nil end
  return string.format('%.4f', math.floor(now + most) - 1 + step / 1024)
end
`;
