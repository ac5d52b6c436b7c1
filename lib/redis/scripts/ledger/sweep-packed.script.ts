import { parseCount, parseList } from '../../read/replies.js';
import { Script } from '../script.js';
import { PACKED_LEDGER } from './packed-ledger.lua.js';

/**
 * Removes from some buckets of a packed ledger what has left the window, and merges buckets where they have become too
 * many for what is left. A bucket that is written loses it anyway: this is for where less is processed than was. So all of
 * them are gone through ten times in a window, and a call does what is due of that by now.
 *
 * KEYS   1 packed ledger (HASH)
 * ARGV   1 window ms, 2 how many buckets at the most
 * result [ledger entries removed, how many more buckets are due]
 * atomic because what is packed meanwhile would be written over.
 * twice  the second call goes on with the next ones, where any are due.
 */
export const sweepPackedScript = new Script(
  `${PACKED_LEDGER}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest, round = now - ARGV[1], ARGV[1] / 10
local had = redis.call('HMGET', KEYS[1], 'buckets', 'entries', 'swept')
local buckets, entries = tonumber(had[1] or 0), tonumber(had[2] or 0)
if buckets == 0 then return { 0, 0 } end

local next, at = string.match(had[3] or '', '^(%d+) ([%d.]+)$')
local from, swept = tonumber(next or 0), math.max(tonumber(at or 0), now - round)
local due = math.floor(buckets * (now - swept) / round)
local many = math.min(due, tonumber(ARGV[2]))
if many <= 0 then return { 0, 0 } end

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

-- Between this and the number that makes a split lies a factor of four, so that neither undoes the other.
local merges, before = 0, buckets
while buckets > 1 and entries - removed < buckets * 4 and merges < tonumber(ARGV[2]) do
  local last = buckets - 1
  local into, gone = nameOf(last - highestPower(last)), nameOf(last)
  local both = redis.call('HMGET', KEYS[1], into, gone)
  local joined = withoutPast((both[1] or '') .. (both[2] or ''))
  -- In one command: were it to stop in between, nobody would look where it is.
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
