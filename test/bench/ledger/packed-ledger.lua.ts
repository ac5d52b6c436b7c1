/** A copy of the Lua in lib/redis/scripts/: programs are users of the package, and see only what is exported. */

/**
 * Lua for the packed part of a ledger: a HASH in addition to the ZSET, for all but the newest IDs. A message
 * ID takes 130 bytes and more in a ZSET, and packed less than 30.
 *
 *     buckets   how many there are
 *     entries   how many records are in them
 *     swept     which bucket is swept next for expired records, and when that was due
 *     4 bytes   a bucket, by its number from 0: records of 20 bytes, with few exceptions the oldest first. A record is the
 *               first 104 bits of the message ID's SHA-1, as two numbers of 7 bytes, then the time of processing, in ms, in 6 bytes
 *
 * The first of the two numbers determines the bucket. As entries are added, one bucket after the other is
 * split (linear hashing), so that each has about 16 records: a written bucket goes to replicas and the AOF as
 * a whole. All of it is one key, so that callers of a script need to know nothing of the buckets to name its
 * keys.
 *
 * In a record the second number comes before the first, and its lowest byte first: it differs between the
 * records of a bucket, so a search skips the others at once.
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

/** Lua that returns when some message IDs were processed, for those that are packed; after {@link PACKED_LEDGER}. */
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
  local power, names, digests, found = highestPower(buckets), {}, {}, {}
  for n = 1, #ids do
    local digest, first = digestOf(ids[n])
    digests[n], names[n] = digest, pack('>I4', bucketOf(first, buckets, power))
  end
  local all = redis.call('HMGET', packed, unpack(names))
  for n = 1, #ids do
    if all[n] and search(all[n], digests[n], 1, true) then found[n] = newestOf(all[n], digests[n]) end
  end
  return found
end
`;
