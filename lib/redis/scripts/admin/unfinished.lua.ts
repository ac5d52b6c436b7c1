/**
 * Lua that finds what a trim has to leave: the oldest entry that some group has not finished, where it is older than `limit`, else
 * `limit`; and the group. It needs `after` of ENTRY_ORDER.
 */
export const UNFINISHED = `
local function unfinishedBefore(limit, stream, ignored)
  local safe, holder = limit, ''
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
    if not ignored[info['name']] then
      -- What is pending may lie above what is still to be read, where the group was set back.
      local unread = redis.call('XRANGE', stream, '(' .. info['last-delivered-id'], '+', 'COUNT', 1)[1]
      if unread and after(safe, unread[1]) then safe, holder = unread[1], info['name'] end
      local pending = info['pending'] > 0 and redis.call('XPENDING', stream, info['name'])[2]
      if pending and after(safe, pending) then safe, holder = pending, info['name'] end
    end
  end
  return safe, holder
end
`;
