import { parseText } from '../replies.js';
import { Script } from '../script.js';
import { ENTRY_ORDER } from './entry-order.lua.js';

/**
 * Sees to it that a group is there.
 *
 * KEYS   1 stream, 2 position (string)
 * ARGV   1 group, 2 where a new group begins ('$', '0' or an entry ID), 3 the highest entry ID that the caller was
 *        given, or '' where it was given none yet
 * result 'exists', or the entry ID (or '$') after which the group was made
 * atomic because two members may find it gone at once, and the position must be that of the stream it is made on.
 * twice  the second time it exists.
 *
 * A group that was there once is made again where it was; from the beginning where the stream itself is a new one.
 */
export const ensureGroupScript = new Script(
  `${ENTRY_ORDER}
local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #row, 2 do
      if row[i] == 'name' and row[i + 1] == ARGV[1] then return 'exists' end
    end
  end
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end

local from = redis.call('GET', KEYS[2])
if ARGV[3] ~= '' and (not from or after(ARGV[3], from)) then from = ARGV[3] end
if not from then
  from = ARGV[2]
elseif after(from, last) then
  from = '0'
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], from, 'MKSTREAM')
return from
`,
  (reply) => parseText(reply, 'ensure-group'),
);
