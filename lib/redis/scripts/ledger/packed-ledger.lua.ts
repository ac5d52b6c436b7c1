/**
 * Lua for the packed part of a ledger: a HASH beside the ZSET, for what is not among its newest. A message ID takes 130
 * bytes and more in a ZSET, and packed less than 30.
 *
 *     buckets   how many there are
 *     entries   how many records are in them
 *     swept     which bucket is looked through next for what has left the window, and when that was due
 *     4 bytes   a bucket each, by its number from 0: records of 20 bytes, the oldest first but for a few. A record is the first
 *               104 bits of the message ID's SHA-1, as two numbers of 7 bytes, then when it was processed, in ms, in 6 bytes
 *
 * The first of the two numbers says which bucket it is. As there are more entries, one bucket after the other is split
 * (linear hashing), so that they have about 16 each: what is written of them goes to replicas and the AOF as a whole.
 * All of it is one key, so that who calls a script needs to know nothing of the buckets to name its keys.
 *
 * Of a record the second number stands before the first, and its lowest byte first: that one differs between the records of
 * a bucket, so that a search passes over the others at once.
 */
export const PACKED_LEDGER = `
local DIGEST, RECORD = 14, 20
-- Locals, since this is done for each message.
local sha, sub, number, pack, search = redis.sha1hex, string.sub, tonumber, struct.pack, string.find
local function digestOf(id)
  local hex = sha(id)
  local first = number(sub(hex, 1, 13), 16)
  return pack('<I7I7', number(sub(hex, 14, 26), 16), first), first
end
local function highestPower(buckets)
  local power = 1
  while power * 2 <= buckets do power = power * 2 end
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
-- Only what begins where a record does is one.
local function find(records, digest, from)
  local at = search(records, digest, from, true)
  while at and (at - 1) % RECORD ~= 0 do at = search(records, digest, at + 1, true) end
  return at
end
`;

/** Lua that says when some message IDs were processed, of those that are packed; after {@link PACKED_LEDGER}. */
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
  local buckets = tonumber(redis.call('HGET', packed, 'buckets') or 0)
  if buckets == 0 then return {} end
  local power, names, marks, found = highestPower(buckets), {}, {}, {}
  for n = 1, #ids do
    local first = number(sub(sha(ids[n]), 1, 13), 16)
    names[n] = nameOf(bucketOf(first, buckets, power))
    -- Its high bytes, as a record has them: the low ones are the same in all of a bucket. Where they are not, it is not.
    marks[n] = pack('<I4', math.floor(first / 16777216))
  end
  local all = redis.call('HMGET', packed, unpack(names))
  for n = 1, #ids do
    if all[n] and search(all[n], marks[n], 1, true) then found[n] = newestOf(all[n], (digestOf(ids[n]))) end
  end
  return found
end
`;

/** Lua that takes a message ID out of the packed part, and says whether it was there; after {@link PACKED_LEDGER}. */
export const REMOVE_PACKED = `
local function removePacked(packed, id)
  local buckets = tonumber(redis.call('HGET', packed, 'buckets') or 0)
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
