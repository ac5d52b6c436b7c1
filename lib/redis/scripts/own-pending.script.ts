import { parseEntries } from '../replies.js';
import { Script } from '../script.js';

/**
 * A page of what is pending for this consumer, less what waits for its time in `retries`. Reading the history with
 * `XREADGROUP` would do nearly the same, but it raises the delivery count.
 *
 * KEYS   1 stream, 2 retries (ZSET)
 * ARGV   1 group, 2 consumer, 3 entry ID after which to begin, or '-', 4 how many
 * result entries [id, fields], with nil for the fields of one that was deleted while it was pending; the last of the
 *        page is always named (with fields, or `false` where it waits) so that the caller can go on behind it
 * atomic because an entry may be deleted, or acknowledged, between the two reads.
 * twice  it changes nothing.
 */
export const ownPendingScript = new Script(
  `
local from = ARGV[3] == '-' and '-' or '(' .. ARGV[3]
local page = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', ARGV[4], ARGV[2])
local found = {}
for n = 1, #page do
  local id = page[n][1]
  if redis.call('ZSCORE', KEYS[2], id) then
    found[#found + 1] = { id, 'waits' }
  else
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
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
