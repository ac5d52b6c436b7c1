import {
  type RawEntry,
  parseCount,
  parseEntries,
  parseList,
  parseText,
} from '../../read/replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from './attempt-marks.lua.js';
import { ENTRY_ORDER } from './entry-order.lua.js';
import { REDRIVE_MEMBER } from './redrive-member.lua.js';

/** A page of what was left to a consumer. */
export interface ResumedPage {
  /** The entry ID after which the next page begins in what is pending for the consumer; nothing if this was the last. */
  readonly next: string | undefined;
  readonly entries: readonly RawEntry[];
  /** For how long what comes next has to wait, in ms; nothing if the next page may be asked for at once. */
  readonly waitsMs: number | undefined;
}

/**
 * Gives a consumer a page of what comes before anything new, in stream order: what is pending for it already, and what
 * members that closed have handed back to the group.
 *
 * KEYS   1 stream, 2 retries (ZSET), 3 attempts (HASH), 4 leases (HASH)
 * ARGV   1 group, 2 consumer, 3 entry ID after which to begin in what is pending for the consumer, or '-', 4 how many,
 *        5 without leases: when this process began, by Redis's clock, in ms, else ''. What the consumer was given before
 *        that was given to an earlier process of its name, whose run did not finish, 6 this consumer's token if
 *        nothing passes a message that waits for its next attempt (retry.blocking), else ''
 * result [the entry ID after which the next page begins, or '' if this was the last,
 *        entries [id, fields], with nil for the fields of one that was deleted while it was pending, and -1, or for how
 *        long what comes after them has to wait, in ms]
 * atomic because two members that both see an entry as handed back would both run it.
 * twice  what the first took is pending for the consumer, and lies behind the same ARGV[3]: it is in the page again.
 *
 * With ARGV[6] the page ends before an entry that waits for its time in the retries, or for the end of a lease that an earlier
 * process of this consumer's name had. Else what waits is no part of it. XREADGROUP would read what is pending too, but it raises the
 * delivery count.
 */
export const resumeScript = new Script(
  `${ATTEMPT_MARKS}${ENTRY_ORDER}${REDRIVE_MEMBER}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stream, retries, attempts = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, begin, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local hereMs = tonumber(ARGV[5]) and now - ARGV[5]
local page = redis.call('XPENDING', stream, group, begin == '-' and '-' or '(' .. begin, '+', count, consumer)
local handed = redis.call('ZRANGEBYSCORE', retries, '-inf', '(0', 'LIMIT', 0, count)
local isMoreOwn, isMoreHanded = #page == count, #handed == count
-- Those of one millisecond come as text: the last one's are needed all, to be sorted.
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
      if due > now then waits[id] = due - now end
    end
  end
  for _, row in ipairs(#found > 0 and redis.call('HVALS', KEYS[4]) or {}) do
    local holder, entry, till = string.match(row, '^(%S+) (%S+) %d+ (%d+)$')
    if holder and holder ~= ARGV[6] and tonumber(till) > now then
      waits[entry] = math.max(waits[entry] or 0, till - now)
    end
  end
end
table.sort(found, function(a, b) return after(b, a) end)
table.sort(handed, function(a, b) return after(b, a) end)

-- How far nothing is missing between the entries found.
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
    local used, mark = attemptsOf(redis.call('HGET', attempts, id))
    used, mark = cameBack(used, mark, used + 1)
    redis.call('HSET', attempts, id, used .. mark)
    redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
  end
  return { id, entry and entry[2] or false }
end

local entries, last = {}, begin
for _, id in ipairs(found) do
  if limit and after(id, limit) then break end
  if not idle[id] and #redis.call('XPENDING', stream, group, id, id, 1) == 0 then
    -- It was settled, and nobody comes back to it.
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
-- What was handed back meanwhile may lie before the place that was reached.
if limit and limit ~= '-' and (begin == '-' or after(limit, begin)) then begin = limit end
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
