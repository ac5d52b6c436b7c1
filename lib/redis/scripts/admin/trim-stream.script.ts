import { parseCount, parseList, parseText } from '../../read/replies.js';
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

/** A group that keeps a trim from removing what it has not finished. */
export interface Holder {
  readonly group: string;
  /** The oldest entry that it has not finished. */
  readonly entryId: string;
  /** How long ago one of its consumers was active last; undefined if it has none. */
  readonly idleMs: number | undefined;
}

const heldBy = (group: unknown, entryId: unknown, idleMs: unknown): Holder => ({
  group: parseText(group, 'trim-stream'),
  entryId: parseText(entryId, 'trim-stream'),
  idleMs: typeof idleMs === 'number' ? idleMs : undefined,
});

/**
 * Trims one step of a stream, by age and by length.
 *
 * KEYS   1 stream
 * ARGV   1 max age ms, or '', 2 max length, or '', 3 how many entries to look at for the length, 4 '1' to trim unread entries
 *        too, then the groups that do not hold up the trim
 * result [entries removed, how many of these some group had not finished, 1 if more may follow, else 0, and if a group kept it
 *        from removing anything: the group, the entry that it has not finished, and how long ago one of its consumers was active
 *        last, ms, or '' if it has none]
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

local safe, holder = unfinishedBefore(limit, stream, ignored)

-- Without LIMIT, '~' trims up to a hundred nodes of the stream, however large they are. If the first node has more entries than
-- this step looks at, it removes none, and they are removed one by one.
local function trimTo(id)
  local trimmed = redis.call('XTRIM', stream, 'MINID', '~', id)
  if trimmed == 0 and id == limit and byLength == step then trimmed = redis.call('XTRIM', stream, 'MINID', id) end
  return trimmed
end
local function idleOf(group)
  local least
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local idle = infoOf(row)['idle']
    if not least or idle < least then least = idle end
  end
  return least or ''
end

local finished = trimTo(safe)
if finished > 0 then return { finished, 0, 1 } end
if safe == limit then return { 0, 0, 0 } end
if ARGV[4] ~= '1' then return { 0, 0, 0, holder, safe, idleOf(holder) } end
-- Before the unfinished entry, less than one node is left. Everything that is trimmed after it is lost to some group.
finished = redis.call('XTRIM', stream, 'MINID', safe)
local lost = trimTo(limit)
return { finished + lost, lost, lost > 0 and 1 or 0 }
`,
  (reply) => {
    const [removed, lost, more, group, entryId, idleMs] = parseList(reply, 'trim-stream');
    return {
      removed: parseCount(removed, 'trim-stream'),
      lost: parseCount(lost, 'trim-stream'),
      more: more === 1,
      heldBy: group === undefined ? undefined : heldBy(group, entryId, idleMs),
    };
  },
);
