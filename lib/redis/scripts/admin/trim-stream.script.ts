import { parseCount, parseList } from '../../read/replies.js';
import { ENTRY_ORDER } from '../entry-ids.lua.js';
import { INFO_OF, NOW, Script } from '../script.js';

/**
 * Lua: the entry at which a trim must stop, and the group that needs it: the oldest entry that some group has not finished, if
 * it is older than `limit`; else `limit` and ''. Goes after ENTRY_ORDER.
 */
export const UNFINISHED = `${INFO_OF}
local function unfinishedBefore(limit, stream, ignored)
  local safe, holder = limit, ''
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = infoOf(row)
    if not ignored[info['name']] then
      -- If the group was set back, pending entries may come after unread ones.
      local unread = redis.call('XRANGE', stream, '(' .. info['last-delivered-id'], '+', 'COUNT', 1)[1]
      if unread and after(safe, unread[1]) then safe, holder = unread[1], info['name'] end
      local pending = info['pending'] > 0 and redis.call('XPENDING', stream, info['name'])[2]
      if pending and after(safe, pending) then safe, holder = pending, info['name'] end
    end
  end
  return safe, holder
end
`;

/**
 * Trims one step of a stream, by age and by length.
 *
 * KEYS   1 stream
 * ARGV   1 max age ms, or '', 2 max length, or '', 3 how many entries to look at for the length, 4 '1' to trim unread entries
 *        too, then the groups that do not hold up the trim
 * result [entries removed, how many of these some group had not finished, 1 if more may follow, else 0]
 * atomic because a group could be created, or an entry become pending, between the look at the groups and the trim.
 * twice  the second call trims the next step, which is due as well.
 */
export const trimStreamScript = new Script(
  `${ENTRY_ORDER}${UNFINISHED}
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return { 0, 0, 0 } end
${NOW}
local ignored = {}
for i = 5, #ARGV do ignored[ARGV[i]] = true end

local limit
if ARGV[1] ~= '' then
  local oldest = now - ARGV[1]
  if oldest > 0 then limit = string.format('%.0f-0', oldest) end
end
local length = redis.call('XLEN', stream)
local excess = ARGV[2] ~= '' and length - ARGV[2] or 0
local step = tonumber(ARGV[3])
local byLength = 0
if excess > 0 then
  byLength = math.min(excess, step)
  local head = redis.call('XRANGE', stream, '-', '+', 'COUNT', byLength + 1)
  local keep = head[byLength + 1]
  if keep and (not limit or after(keep[1], limit)) then limit = keep[1] end
end
if not limit then return { 0, 0, 0 } end

local safe = unfinishedBefore(limit, stream, ignored)

-- Without LIMIT, '~' trims up to a hundred nodes of the stream, however large they are.
local finished = redis.call('XTRIM', stream, 'MINID', '~', safe)
if finished > 0 or ARGV[4] ~= '1' or safe == limit then return { finished, 0, finished > 0 and 1 or 0 } end
-- Before the unfinished entry, less than one node is left. Everything that is trimmed after it is lost to some group.
finished = redis.call('XTRIM', stream, 'MINID', safe)
local lost = redis.call('XTRIM', stream, 'MINID', '~', limit)
return { finished + lost, lost, lost > 0 and 1 or 0 }
`,
  (reply) => {
    const [removed, lost, more] = parseList(reply, 'trim-stream');
    return {
      removed: parseCount(removed, 'trim-stream'),
      lost: parseCount(lost, 'trim-stream'),
      more: more === 1,
    };
  },
);
