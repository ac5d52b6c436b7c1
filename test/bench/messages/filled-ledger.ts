import type { Redis } from 'ioredis';

const AT_ONCE = 10_000;
const WINDOW_MS = 7 * 24 * 60 * 60 * 1000;

/** Lua that records message IDs spread over the window; run by the server, which is fastest. */
const FILL = `
local from, many, size = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local oldest = time[1] * 1000 - tonumber(ARGV[4])
local rows = {}
for n = from, from + many - 1 do
  local hex = redis.sha1hex(n)
  rows[#rows + 1] = string.format('%d', oldest + math.floor((n + 1) / size * tonumber(ARGV[4])))
  rows[#rows + 1] = string.sub(hex, 1, 8) .. '-' .. string.sub(hex, 9, 12) .. '-4' .. string.sub(hex, 13, 15)
    .. '-a' .. string.sub(hex, 16, 18) .. '-' .. string.sub(hex, 19, 30)
  if #rows >= 2000 or n == from + many - 1 then
    redis.call('ZADD', KEYS[1], unpack(rows))
    rows = {}
  end
end`;

/** The ledger grows in this many parts; after each there is a maintenance run. */
const PARTS = 20;

/**
 * Fills the ledger `key` with `size` message IDs of the last seven days. They are written as any program may
 * write them, to its ZSET, one part after the other: `maintain` brings them into the form in which the
 * library keeps them.
 */
export async function fillLedger(
  client: Redis,
  key: string,
  size: number,
  maintain: () => Promise<void>,
  onProgress: (share: number) => void,
): Promise<void> {
  // Those that leave the window during filling would be missing.
  const spread = WINDOW_MS - 60 * 60 * 1000;
  const part = Math.ceil(size / PARTS);
  for (let from = 0; from < size;) {
    const partEnd = Math.min(size, (Math.floor(from / part) + 1) * part);
    const many = Math.min(AT_ONCE, partEnd - from);
    await client.eval(FILL, 1, key, from, many, size, spread);
    from += many;
    if (from === partEnd) await maintain();
    onProgress(from / size);
  }
}
