import { ENTRY_ORDER } from '../reserve/entry-order.lua.js';

/** Lua that notes up to where a group's entries were settled; {@link ENTRY_ORDER} is in it. Not of a redrive's member. */
export const NOTE_POSITION = `${ENTRY_ORDER}
local function notePosition(key, entry)
  local position = redis.call('GET', key)
  if not position or after(entry, position) then redis.call('SET', key, entry) end
end
`;
