/**
 * Lua for the packed part of a ledger: a HASH that holds all but the newest message IDs. A message ID takes more than 130 bytes
 * in a ZSET, and less than 30 packed.
 *
 *     buckets   how many buckets there are
 *     entries   how many records they hold
 *     swept     which bucket to check next for records that have left the window, and when that was due
 *     4 bytes   one field per bucket, named by its number from 0: records of 20 bytes, mostly in order, oldest first. A record
 *               is 104 bits of the message ID's SHA-1, as two numbers of 7 bytes, and when it was processed, ms, in 6 bytes
 *
 * The first of the two numbers determines the bucket. As entries are added, one bucket after another is split (linear hashing),
 * so that each holds about 16: a bucket that changes goes to replicas and the AOF as a whole. All buckets are in one key, so
 * that callers of a script can name its keys without knowing the buckets.
 *
 * In a record the second number comes before the first, lowest byte first: that byte differs between the records of a bucket,
 * so a search skips other records at once.
 *
 * If `buckets` is no such number, nobody knows what was processed: then a caller is refused like one that finds a key of another
 * type, rather than run messages twice.
 */
export const PACKED_LEDGER = `
local DIGEST, RECORD = 14, 20
-- Locals are faster, and this runs for each message.
local sha, sub, number, pack, search = redis.sha1hex, string.sub, tonumber, struct.pack, string.find
local function digestOf(id)
  local hex = sha(id)
  local first = number(sub(hex, 1, 13), 16)
  return pack('<I7I7', number(sub(hex, 14, 26), 16), first), first
end
local function bucketsIn(packed)
  local buckets = number(redis.call('HGET', packed, 'buckets') or 0)
  if buckets and buckets >= 0 and buckets < 4294967296 and buckets % 1 == 0 then return buckets end
  error('WRONGTYPE "buckets" of the packed ledger ' .. packed .. ' is no number of buckets')
end
local function highestPower(buckets)
  local power = 1
  while power * 2 <= buckets and power < 4294967296 do power = power * 2 end
  return power
end
local function bucketOf(first, buckets, power)
  local bucket = first % (power * 2)
  return bucket < buckets and bucket or bucket % power
end
local function nameOf(bucket)
  return pack('>I4', bucket)
end
local function processedAt(records, at)
  return (struct.unpack('<I6', records, at + DIGEST))
end
-- A match counts only at the start of a record.
local function find(records, digest, from)
  local at = search(records, digest, from, true)
  while at and (at - 1) % RECORD ~= 0 do at = search(records, digest, at + 1, true) end
  return at
end
`;

/** Lua: `findPacked` tells when packed message IDs were processed. Goes after {@link PACKED_LEDGER}. */
export const FIND_PACKED = `
local function newestOf(records, digest)
  local at, newest = find(records, digest, 1), nil
  while at do
    newest = math.max(newest or 0, processedAt(records, at))
    at = find(records, digest, at + RECORD)
  end
  return newest
end
local function findPacked(packed, ids)
  local buckets = bucketsIn(packed)
  if buckets == 0 then return {} end
  local power, names, marks, found = highestPower(buckets), {}, {}, {}
  for n = 1, #ids do
    local first = number(sub(sha(ids[n]), 1, 13), 16)
    names[n] = nameOf(bucketOf(first, buckets, power))
    -- The number's high bytes as a record has them: the low ones are the same in a whole bucket. If they are not found, the ID is
    -- not in the bucket.
    marks[n] = pack('<I4', math.floor(first / 16777216))
  end
  local all = redis.call('HMGET', packed, unpack(names))
  for n = 1, #ids do
    if all[n] and search(all[n], marks[n], 1, true) then found[n] = newestOf(all[n], (digestOf(ids[n]))) end
  end
  return found
end
`;

/** Lua: `removePacked` removes a message ID, and tells whether it was there. Goes after {@link PACKED_LEDGER}. */
export const REMOVE_PACKED = `
local function removePacked(packed, id)
  local buckets = bucketsIn(packed)
  if buckets == 0 then return false end
  local digest, first = digestOf(id)
  local name = nameOf(bucketOf(first, buckets, highestPower(buckets)))
  local records, removed = redis.call('HGET', packed, name) or '', 0
  local at = find(records, digest, 1)
  while at do
    records = string.sub(records, 1, at - 1) .. string.sub(records, at + RECORD)
    removed = removed + 1
    at = find(records, digest, at)
  end
  if removed == 0 then return false end
  redis.call('HSET', packed, name, records, 'entries', redis.call('HGET', packed, 'entries') - removed)
  return true
end
`;
