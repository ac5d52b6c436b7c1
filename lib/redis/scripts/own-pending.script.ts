import { parseEntries } from '../replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from './attempt-marks.lua.js';

/**
 * A page of what is pending for this consumer, less what waits for its time in `retries`. Reading the history with
 * `XREADGROUP` would do nearly the same, but it raises the delivery count.
 *
 * KEYS   1 stream, 2 retries (ZSET), 3 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 entry ID after which to begin, or '-', 4 how many, 5 where there are no leases to tell of
 *        runs: for how long this consumer is there, ms. What is idle for longer was left by an earlier process of its
 *        name, and did not come to its end
 * result entries [id, fields], with nil for the fields of one that was deleted while it was pending; the last of the
 *        page is always named (with fields, or `false` where it waits) so that the caller can go on behind it
 * atomic because an entry may be deleted, or acknowledged, between the two reads.
 * twice  it changes nothing: what it counted is not idle any more.
 */
export const ownPendingScript = new Script(
  `${ATTEMPT_MARKS}
local from = ARGV[3] == '-' and '-' or '(' .. ARGV[3]
local page = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', ARGV[4], ARGV[2])
local found = {}
for n = 1, #page do
  local id = page[n][1]
  if redis.call('ZSCORE', KEYS[2], id) then
    found[#found + 1] = { id, 'waits' }
  else
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if ARGV[5] ~= '' and page[n][3] > tonumber(ARGV[5]) then
      local used, mark = attemptsOf(redis.call('HGET', KEYS[3], id))
      used, mark = cameBack(used, mark, used + 1)
      redis.call('HSET', KEYS[3], id, used .. mark)
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
    end
    found[#found + 1] = { id, entry and entry[2] or false }
  end
end
return found
`,
  (reply) => {
    const rows = Array.isArray(reply) ? reply : [];
    const waits = (row: unknown): boolean => Array.isArray(row) && Buffer.isBuffer(row[1]);
    return {
      entries: parseEntries(
        rows.filter((row) => !waits(row)),
        'own-pending',
      ),
      lastId: rows.length === 0 ? undefined : String(rows.at(-1)?.[0]),
    };
  },
);
