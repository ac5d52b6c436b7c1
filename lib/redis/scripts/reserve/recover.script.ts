import { parseEntries, parseList, parseText } from '../../read/replies.js';
import { ATTEMPT_MARKS, HERE_SINCE, NOTE_COMEBACK } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Takes over a page of entries that have been pending for a long time without a sign of their consumer: it died or is stuck.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 min idle ms, 4 entry ID after which to start, or '-', 5 how many, 6 without leases: when
 *        this process started (Redis time, ms), else ''. A takeover then counts as a run that did not finish, except for
 *        an entry that this process received and may be running, 7 '1' to take the entries of each consumer in order:
 *        nothing is taken that comes after an entry which cannot be taken yet
 * result [where the next page starts, or '' after the last page, entries [id, fields], with nil fields if the entry was
 *        deleted]
 * atomic because two members that both see an entry as idle would both run it.
 * twice  what the first call took is no longer idle. It is pending for the consumer, which finds it after the reconnect.
 *
 * All keys are read before the first write: the answer to a refused call does not name what it took.
 */
export const recoverScript = new Script(
  `${ATTEMPT_MARKS}${NOTE_COMEBACK}${HERE_SINCE}
${NOW}
${evenIfFull('KEYS[4]')}
local group, consumer, hereMs = ARGV[1], ARGV[2], hereSince(ARGV[6], now)
local minIdle, begin, most, inOrder = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[7] == '1'
local from = begin == '-' and '-' or '(' .. begin
local size = inOrder and 1000 or most
local page = inOrder and redis.call('XPENDING', KEYS[1], group, from, '+', size)
  or redis.call('XPENDING', KEYS[1], group, 'IDLE', minIdle, from, '+', size)
local leased = {}
if #page > 0 then
  for _, row in ipairs(redis.call('HVALS', KEYS[2])) do
    local entry, till = string.match(row, '^%S+ (%S+) %d+ (%d+)$')
    if entry and tonumber(till) > now then leased[entry] = true end
  end
  redis.call('HGET', KEYS[4], '')
end

-- Consumers with an entry that cannot be taken yet: to keep the order, none of their later entries is taken.
local stays = {}
local function hasToStay(holder)
  if not inOrder then return false end
  if stays[holder] == nil then
    stays[holder] = false
    for _, row in ipairs(begin == '-' and {} or redis.call('XPENDING', KEYS[1], group, '-', begin, 100, holder)) do
      if not redis.call('ZSCORE', KEYS[3], row[1]) then stays[holder] = true end
    end
  end
  return stays[holder]
end

local taken, last = {}, ''
for n = 1, #page do
  local id, holder, idle = page[n][1], page[n][2], page[n][3]
  if not redis.call('ZSCORE', KEYS[3], id) then
    if leased[id] or idle < minIdle then
      stays[holder] = true
    elseif not hasToStay(holder) then
      local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
      redis.call('XCLAIM', KEYS[1], group, consumer, minIdle, id, 'JUSTID')
      if hereMs and (holder ~= consumer or idle > hereMs) then
        noteComeback(KEYS[4], id)
      end
      taken[#taken + 1] = { id, entry and entry[2] or false }
    end
  end
  last = id
  if #taken == most then break end
end
return { (#page == size or #taken == most) and last or '', taken }
`,
  (reply) => {
    const [next, entries] = parseList(reply, 'recover');
    return { next: parseText(next, 'recover'), entries: parseEntries(entries, 'recover') };
  },
);
