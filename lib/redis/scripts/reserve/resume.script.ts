import {
  parseCount,
  parseEntries,
  parseList,
  parseText,
  type RawEntry,
} from '../../read/replies.js';
import { ENTRY_ORDER, LETTER_OF } from '../entry-ids.lua.js';
import { ATTEMPT_MARKS, HERE_SINCE, NOTE_COMEBACK } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/** A page of a consumer's earlier entries. */
export interface ResumedPage {
  /** The entry ID after which the next page starts in the consumer's pending entries. Undefined after the last page. */
  readonly next: string | undefined;
  readonly entries: readonly RawEntry[];
  /** How long the next entries have to wait, in ms. Undefined if the next page may be requested at once. */
  readonly waitsMs: number | undefined;
}

/**
 * Gives a consumer a page of what comes before any new entry, in stream order: what is already pending for it, and what
 * members that closed have handed back to the group.
 *
 * KEYS   1 stream, 2 retries (ZSET), 3 attempts (HASH), 4 leases (HASH)
 * ARGV   1 group, 2 consumer, 3 entry ID after which to start in the consumer's pending entries, or '-', 4 how many,
 *        5 without leases: when this process started (Redis time, ms), else ''. What the consumer received earlier went
 *        to a former process of the same name, whose run did not finish, 6 this consumer's token if no message may
 *        overtake one that waits for its next attempt (retry.blocking), else ''
 * result [the entry ID after which the next page starts, or '' after the last page,
 *        entries [id, fields], with nil fields if the entry was deleted while it was pending,
 *        how long the entries after them have to wait, in ms, or -1]
 * atomic because two members that both see an entry as handed back would both run it.
 * twice  what the first call took is pending for the consumer, after the same ARGV[3], so it is in the page again.
 *
 * With ARGV[6], the page ends before an entry that waits in the retries, or for the end of a lease that a former process of the
 * same name held. Without it, waiting entries are left out. XREADGROUP could read pending entries too, but would raise their
 * delivery count.
 *
 * All keys are read before the first write: the answer to a refused call does not name what it took.
 */
export const resumeScript = new Script(
  `${ATTEMPT_MARKS}${NOTE_COMEBACK}${HERE_SINCE}${ENTRY_ORDER}${LETTER_OF}
${NOW}
${evenIfFull('KEYS[3]')}
local stream, retries, attempts = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, begin, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local hereMs = hereSince(ARGV[5], now)
redis.call('HGET', attempts, '')
local page = redis.call('XPENDING', stream, group, begin == '-' and '-' or '(' .. begin, '+', count, consumer)
local handed = redis.call('ZRANGEBYSCORE', retries, '-inf', '(0', 'LIMIT', 0, count)
local isMoreOwn, isMoreHanded = #page == count, #handed == count
-- Entries of one millisecond are sorted as text, so all entries of the last millisecond are needed to sort them by number.
if isMoreHanded then
  handed = redis.call('ZRANGEBYSCORE', retries, '-inf', redis.call('ZSCORE', retries, handed[count]))
end

local found, idle = {}, {}
for _, id in ipairs(handed) do found[#found + 1] = id end
for _, row in ipairs(page) do
  if not redis.call('ZSCORE', retries, row[1]) then
    found[#found + 1] = row[1]
    idle[row[1]] = row[3]
  end
end
local waits, waitsMs = {}, -1
if ARGV[6] ~= '' then
  local rows = redis.call('ZRANGEBYSCORE', retries, 0, '+inf', 'WITHSCORES')
  for n = 1, #rows, 2 do
    local id, due = rows[n], tonumber(rows[n + 1])
    if not letterOf(id) and (begin == '-' or after(id, begin)) then
      found[#found + 1] = id
      if due > now then waits[id] = math.min(due - now, 2147483647) end
    end
  end
  for _, row in ipairs(#found > 0 and redis.call('HVALS', KEYS[4]) or {}) do
    local holder, entry, till = string.match(row, '^(%S+) (%S+) %d+ (%d+)$')
    if holder and holder ~= ARGV[6] and tonumber(till) > now then
      waits[entry] = math.max(waits[entry] or 0, math.min(till - now, 2147483647))
    end
  end
end
table.sort(found, function(a, b) return after(b, a) end)
table.sort(handed, function(a, b) return after(b, a) end)

-- The last ID up to which both lists are complete.
local limit = isMoreOwn and page[#page][1]
local function limitTo(id) if not limit or after(limit, id) then limit = id end end
if isMoreHanded then limitTo(handed[#handed]) end
if #found > count then limitTo(found[count]) end

local function take(id)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not idle[id] then
    redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
    redis.call('ZREM', retries, id)
  elseif hereMs and idle[id] > hereMs then
    noteComeback(attempts, id)
    redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
  end
  return { id, entry and entry[2] or false }
end

local entries, last = {}, begin
for _, id in ipairs(found) do
  if limit and after(id, limit) then break end
  local pending = idle[id] and page or redis.pcall('XPENDING', stream, group, id, id, 1)
  if #pending == 0 then
    -- It was settled, or is no entry ID: nobody will ask for it again.
    redis.call('HDEL', attempts, id)
    redis.call('ZREM', retries, id)
  elseif waits[id] then
    waitsMs, limit = waits[id], last
    break
  else
    entries[#entries + 1] = take(id)
  end
  last = id
end
-- Entries that are handed back meanwhile may lie before the last entry of this page.
if limit and after(limit, begin) then begin = limit end
return { limit and begin or '', entries, waitsMs }
`,
  (reply): ResumedPage => {
    const [next, entries, waits] = parseList(reply, 'resume');
    const after = parseText(next, 'resume');
    const waitsMs = parseCount(waits, 'resume');
    return {
      next: after === '' ? undefined : after,
      entries: parseEntries(entries, 'resume'),
      waitsMs: waitsMs < 0 ? undefined : waitsMs,
    };
  },
);
