/**
 * Lua for the packed part of a ledger: a HASH beside the ZSET, for what is not among its newest. A message ID takes 130
 * bytes and more in a ZSET, and packed less than 30.
 *
 *     buckets   how many there are
 *     entries   how many records are in them
 *     0, 1, …   a bucket each: records of 20 bytes, the oldest first but for a few. A record is the first 104 bits of the
 *               message ID's SHA-1, as two numbers of 7 bytes, then when it was processed, in ms, in 6 bytes
 *
 * The first of the two numbers says which bucket it is. As there are more entries, one bucket after the other is split
 * (linear hashing), so that they have about 16 each: what is written of them goes to replicas and the AOF as a whole.
 * All of it is one key, so that who calls a script needs to know nothing of the buckets to name its keys.
 */
export const PACKED_LEDGER = `
local DIGEST, RECORD = 14, 20
local function numbersOf(id)
  local hex = redis.sha1hex(id)
  return tonumber(string.sub(hex, 1, 13), 16), tonumber(string.sub(hex, 14, 26), 16)
end
local function digestOf(id)
  local first, second = numbersOf(id)
  return struct.pack('>I7I7', first, second), first
end
local function highestPower(buckets)
  local power = 1
  while power * 2 <= buckets do power = power * 2 end
  return power
end
local function bucketOf(first, buckets, power)
  local bucket = first % (power * 2)
  return bucket < buckets and bucket or first % power
end
local function processedAt(records, at)
  return (struct.unpack('>I6', records, at + DIGEST))
end
-- Only what begins where a record does is one.
local function find(records, digest, from)
  local at = string.find(records, digest, from, true)
  while at and (at - 1) % RECORD ~= 0 do at = string.find(records, digest, at + 1, true) end
  return at
end
`;

/** Lua that says which of some message IDs are packed within the window; after {@link PACKED_LEDGER}. */
export const FIND_PACKED = `
local function isWithin(records, digest, oldest)
  local at = find(records, digest, 1)
  while at and processedAt(records, at) <= oldest do at = find(records, digest, at + RECORD) end
  return at ~= nil
end
local function findPacked(packed, ids, oldest)
  local buckets = tonumber(redis.call('HGET', packed, 'buckets') or 0)
  if buckets == 0 then return {} end
  local power, names, digests, found = highestPower(buckets), {}, {}, {}
  for n = 1, #ids do
    local digest, first = digestOf(ids[n])
    digests[n], names[n] = digest, bucketOf(first, buckets, power)
  end
  local all = redis.call('HMGET', packed, unpack(names))
  for n = 1, #ids do found[n] = all[n] and isWithin(all[n], digests[n], oldest) end
  return found
end
`;
