/**
 * Lua for keys that two streams could have in common: the stream `orders:0`, and partition 0 of `orders`, which is `{orders:0}`
 * (decision 29). Whoever comes second gets an error.
 */
export const OTHER_USE = `
local function otherUse(stream, key)
  return redis.error_reply('OTHERUSE the keys of "' .. stream .. '" are in use as those of another stream, see "' .. key ..
    '": give one of the two streams another name, or delete that key if the other is not used any more')
end
`;

/** Lua: `publishedAs` returns an error if the key `as` names another stream. Without one, it names this stream from now on. */
export const PUBLISHED_AS = `${OTHER_USE}
local function publishedAs(as, stream)
  if not as then return nil end
  local known = redis.call('GET', as)
  if not known then redis.call('SET', as, stream) elseif known ~= stream then return otherUse(stream, as) end
end
`;
