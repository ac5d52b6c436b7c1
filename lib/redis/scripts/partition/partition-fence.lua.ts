/**
 * Lua that says whether messages of a partition may begin: where the caller is its owner, and no entry up to theirs is
 * pending for another. One that was given to a read of a former owner, after its time, comes before those that were given
 * later: it has to be claimed first. What comes after them has not: there may be more of it than one wants to have in hand.
 */
export const PARTITION_FENCE = `
local function mayBegin(owner, stream, group, consumer, token, highest)
  local row = redis.call('HMGET', owner, 'token', 'epoch')
  if not row[1] or row[1] .. '.' .. row[2] ~= token then return false end
  local pending = redis.pcall('XPENDING', stream, group)
  for _, of in ipairs(pending[4] or {}) do
    if of[1] ~= consumer and #redis.call('XPENDING', stream, group, '-', highest, 1, of[1]) > 0 then return false end
  end
  return true
end
`;
