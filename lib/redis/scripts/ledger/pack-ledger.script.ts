import { parseCount } from '../../read/replies.js';
import { evenIfFull, Script } from '../script.js';
import { PACKED_LEDGER } from './packed-ledger.lua.js';

/**
 * Packs one step of a ledger: the oldest entries of its ZSET, if that has more than it should keep.
 *
 * KEYS   1 ledger (ZSET), 2 packed ledger (HASH)
 * ARGV   1 window ms, 2 how many entries stay in the ZSET, 3 how many leave it at most
 * result how many have left the ZSET
 * atomic because a consumer that looks between the two writes could find a message in neither part.
 * twice  the second call packs the next ones.
 *
 * The packed part is written first, in one command: a message is in both parts rather than in none. Entries that have left the
 * window are dropped on the way, from the ZSET and from the buckets that are written.
 */
export const packLedgerScript = new Script(
  `${PACKED_LEDGER}
local FULL = 16
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
local many = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[2], tonumber(ARGV[3]))
if many <= 0 then return 0 end
${evenIfFull('KEYS[2]')}

-- The records that stay in a bucket, and those that move to the bucket it is split into.
local function split(records, into)
  local power, stay, go = highestPower(into), {}, {}
  for at = 1, #records, RECORD do
    local half = struct.unpack('<I7', records, at + 7) % (power * 2) == into and go or stay
    half[#half + 1] = string.sub(records, at, at + RECORD - 1)
  end
  return table.concat(stay), table.concat(go)
end

-- Only up to the first record that stays. After a merge, older ones may follow it.
local function withoutPast(records)
  local from = 1
  while from < #records and processedAt(records, from) <= oldest do from = from + RECORD end
  return from == 1 and records or string.sub(records, from)
end

local rows = redis.call('ZRANGE', KEYS[1], 0, many - 1, 'WITHSCORES')
local had = redis.call('HMGET', KEYS[2], 'buckets', 'entries')
local before, entries = tonumber(had[1] or 0), tonumber(had[2] or 0)
local buckets = math.max(before, math.ceil((entries + many) / FULL))
local power, firstNew = highestPower(buckets), math.max(before, 1)

-- First finds out which buckets are needed, so that one command reads all of them.
local wanted, names, records, added = {}, {}, {}, {}
local function need(bucket)
  if records[bucket] then return end
  records[bucket] = ''
  if bucket < before then wanted[#wanted + 1], names[#names + 1] = bucket, nameOf(bucket) end
end
for n = 1, #rows, 2 do
  -- Another program may have written the score: with a fraction, or far too high.
  local at = math.min(math.ceil(tonumber(rows[n + 1])), 2 ^ 48 - 1)
  if at > oldest and at >= 0 then
    local digest, first = digestOf(rows[n])
    local bucket = bucketOf(first, buckets, power)
    need(bucket)
    added[#added + 1], added[#added + 2] = bucket, digest .. struct.pack('<I6', at)
  end
end
for bucket = firstNew, buckets - 1 do need(bucket - highestPower(bucket)) end
local found = #names > 0 and redis.call('HMGET', KEYS[2], unpack(names)) or {}
for n = 1, #wanted do records[wanted[n]] = found[n] or '' end

for bucket = firstNew, buckets - 1 do
  local from = bucket - highestPower(bucket)
  records[from], records[bucket] = split(records[from], bucket)
end
for n = 1, #added, 2 do
  local bucket = added[n]
  local kept = withoutPast(records[bucket])
  entries = entries + 1 - (#records[bucket] - #kept) / RECORD
  records[bucket] = kept .. added[n + 1]
end
local written = { 'buckets', buckets, 'entries', entries }
for bucket, value in pairs(records) do
  written[#written + 1], written[#written + 2] = nameOf(bucket), value
end
redis.call('HSET', KEYS[2], unpack(written))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, many - 1)
return many
`,
  (reply) => parseCount(reply, 'pack-ledger'),
);
