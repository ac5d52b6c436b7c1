/**
 * How many message IDs of a ledger stay in its ZSET: enough for whoever looks there, and so few that 100 000 of them still
 * take no more than 40 bytes each.
 */
export const UNPACKED = 8_000;

/**
 * Lua that moves the oldest of a ledger's ZSET to its packed part, so that only the newest are left; after
 * `PACKED_LEDGER`. What has left the window goes meanwhile, from the ZSET and from the buckets that are written.
 *
 * All is written in one command, and leaves the ZSET only then: nothing is in neither part.
 */
export const PACK_LEDGER = `
local FULL, AT_ONCE = 16, 128
local function withoutPast(records, oldest)
  local from = 1
  while from < #records and processedAt(records, from) <= oldest do from = from + RECORD end
  return from == 1 and records or string.sub(records, from)
end
-- The records of a bucket that stay, and those that go to the one it is split into.
local function split(records, into)
  local power, stay, go = highestPower(into), {}, {}
  for at = 1, #records, RECORD do
    local half = struct.unpack('>I7', records, at) % (power * 2) == into and go or stay
    half[#half + 1] = string.sub(records, at, at + RECORD - 1)
  end
  return table.concat(stay), table.concat(go)
end
local function packOnce(ledger, packed, many, oldest)
  local rows = redis.call('ZRANGE', ledger, 0, many - 1, 'WITHSCORES')
  local had = redis.call('HMGET', packed, 'buckets', 'entries')
  local before, entries = tonumber(had[1] or 0), tonumber(had[2] or 0)
  local buckets = math.max(before, math.ceil((entries + many) / FULL))
  local power = highestPower(buckets)

  -- First which buckets it is about: then one look finds all of them.
  local names, records, added = {}, {}, {}
  local function need(name)
    if not records[name] then
      records[name] = ''
      if name < before then names[#names + 1] = name end
    end
  end
  for n = 1, #rows, 2 do
    local at = tonumber(rows[n + 1])
    if at > oldest then
      local first, second = numbersOf(rows[n])
      local name = bucketOf(first, buckets, power)
      need(name)
      added[#added + 1], added[#added + 2] = name, struct.pack('>I7I7I6', first, second, at)
    end
  end
  local firstNew = math.max(before, 1)
  for name = firstNew, buckets - 1 do need(name - highestPower(name)) end
  local found = #names > 0 and redis.call('HMGET', packed, unpack(names)) or {}
  for n = 1, #names do records[names[n]] = found[n] or '' end

  for name = firstNew, buckets - 1 do
    local from = name - highestPower(name)
    records[from], records[name] = split(records[from], name)
  end
  for n = 1, #added, 2 do
    local name = added[n]
    local kept = withoutPast(records[name], oldest)
    entries = entries + 1 - (#records[name] - #kept) / RECORD
    records[name] = kept .. added[n + 1]
  end
  local written = { 'buckets', buckets, 'entries', entries }
  for name, value in pairs(records) do written[#written + 1], written[#written + 2] = name, value end
  redis.call('HSET', packed, unpack(written))
  redis.call('ZREMRANGEBYRANK', ledger, 0, many - 1)
end
-- At the most so often, since Redis serves nobody else meanwhile.
local function packBeyond(ledger, packed, newest, oldest, times)
  local moved = 0
  local beyond = redis.call('ZCARD', ledger) - newest
  while times > 0 and beyond >= math.min(AT_ONCE, newest) do
    local many = math.min(beyond, AT_ONCE)
    packOnce(ledger, packed, many, oldest)
    moved, beyond, times = moved + many, beyond - many, times - 1
  end
  return moved
end
`;
