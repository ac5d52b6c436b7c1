import { parseCount, parseList } from '../../read/replies.js';
import { evenIfFull, NOW, Script } from '../script.js';
import { PACKED_LEDGER } from './packed-ledger.lua.js';

/**
 * Removes what has left the window from some buckets of a packed ledger, and merges buckets if they have become too many.
 * Writing to a bucket drops old records anyway; this is for a ledger that gets fewer new entries than before. All buckets are
 * swept ten times per window, and a call does the part that is due by now.
 *
 * KEYS   1 packed ledger (HASH)
 * ARGV   1 window ms, 2 how many buckets at most
 * result [ledger entries removed, how many more buckets are due]
 * atomic because it would overwrite what is packed meanwhile.
 * twice  the second call continues with the next buckets, if any are due.
 */
export const sweepPackedScript = new Script(
  `${PACKED_LEDGER}
${NOW}
local oldest, round = now - ARGV[1], ARGV[1] / 10
local had = redis.call('HMGET', KEYS[1], 'buckets', 'entries', 'swept')
local buckets, entries = tonumber(had[1] or 0), tonumber(had[2] or 0)
if buckets == 0 then return { 0, 0 } end

local next, at = string.match(had[3] or '', '^(%d+) ([%d.]+)$')
local from, swept = tonumber(next or 0), math.max(math.min(tonumber(at or 0), now), now - round)
local due = math.floor(buckets * (now - swept) / round)
local many = math.min(due, tonumber(ARGV[2]))
if many <= 0 then return { 0, 0 } end
${evenIfFull('KEYS[1]')}

local removed = 0
local function withoutPast(records)
  local kept = {}
  for at = 1, #records, RECORD do
    if processedAt(records, at) > oldest then kept[#kept + 1] = string.sub(records, at, at + RECORD - 1) end
  end
  local gone = #records / RECORD - #kept
  removed = removed + gone
  return gone == 0 and records or table.concat(kept)
end

local names = {}
for n = 1, many do names[n] = nameOf((from + n - 1) % buckets) end
local all = redis.call('HMGET', KEYS[1], unpack(names))
local written, emptied = {}, {}
for n = 1, many do
  local kept = all[n] and withoutPast(all[n])
  if kept == '' then
    emptied[#emptied + 1] = names[n]
  elseif kept and #kept < #all[n] then
    written[#written + 1], written[#written + 2] = names[n], kept
  end
end
if removed == entries then
  redis.call('DEL', KEYS[1])
  return { removed, 0 }
end
redis.call('HSET', KEYS[1], 'entries', entries - removed, unpack(written))
if #emptied > 0 then redis.call('HDEL', KEYS[1], unpack(emptied)) end

-- A bucket is split at four times this size, so that a merge and a split do not undo each other.
local merges, before = 0, buckets
while buckets > 1 and entries - removed < buckets * 4 and merges < tonumber(ARGV[2]) do
  local last = buckets - 1
  local into, gone = nameOf(last - highestPower(last)), nameOf(last)
  local both = redis.call('HMGET', KEYS[1], into, gone)
  local joined = withoutPast((both[1] or '') .. (both[2] or ''))
  -- In one command: if the script failed in between, the merged records could not be found.
  redis.call('HSET', KEYS[1], into, joined, 'buckets', last, 'entries', entries - removed)
  redis.call('HDEL', KEYS[1], gone)
  buckets, merges = last, merges + 1
end
if removed == entries then
  redis.call('DEL', KEYS[1])
  return { removed, 0 }
end
swept = swept + many / before * round
redis.call('HSET', KEYS[1], 'swept', string.format('%.0f %.3f', (from + many) % buckets, swept))
return { removed, due - many }
`,
  (reply) => {
    const [removed, due] = parseList(reply, 'sweep-packed');
    return {
      removed: parseCount(removed, 'sweep-packed'),
      due: parseCount(due, 'sweep-packed'),
    };
  },
);
