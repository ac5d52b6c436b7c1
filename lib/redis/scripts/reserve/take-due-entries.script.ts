import { parseEntries, parseList } from '../../read/replies.js';
import { Script } from '../script.js';
import { LETTER_OF } from '../entry-ids.lua.js';

/**
 * Takes what is due in all streams of a consumer: entries whose waiting time is over, whichever member had them.
 *
 * KEYS   for each stream: the stream, its retries (ZSET), attempts (HASH), dead letters (stream)
 * ARGV   1 group, 2 consumer, 3 lease ms, then for each stream: how many it may take, and '0' to leave entries that were
 *        handed back, else '-inf'
 * result for each stream a list of entries [id, fields], with nil fields if the entry was deleted. A redrive comes with its
 *        own ID and the fields of its dead letter. It is due again after a lease, since nothing else records who has it
 * atomic because two members that both see an entry as due would both run it.
 * twice  what the first call took is pending for the consumer, which looks for it after the reconnect that caused the
 *        second one. A redrive is taken again after a lease.
 */
export const takeDueEntriesScript = new Script(
  `${LETTER_OF}
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local now, later = string.format('%.0f', nowMs), string.format('%.0f', nowMs + ARGV[3])
local group, consumer = ARGV[1], ARGV[2]
local taken = {}
for n = 1, #KEYS / 4 do
  local stream, retries, limit = KEYS[n * 4 - 3], KEYS[n * 4 - 2], ARGV[n * 2 + 2]
  local entries = {}
  if limit ~= '0' then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', retries, ARGV[n * 2 + 3], now, 'LIMIT', 0, limit)) do
      local letter = letterOf(id)
      if letter then
        local found = redis.pcall('XRANGE', KEYS[n * 4], letter, letter)[1]
        if found then
          redis.call('ZADD', retries, later, id)
          entries[#entries + 1] = { id, found[2] }
        else
          redis.call('HDEL', KEYS[n * 4 - 1], id)
          redis.call('ZREM', retries, id)
        end
      else
        local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
        if pending.err == nil and #pending > 0 then
          local entry = redis.call('XRANGE', stream, id, id)[1]
          redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
          entries[#entries + 1] = { id, entry and entry[2] or false }
        else
          -- It was settled, or its group is gone: nobody will ask for it again.
          redis.call('HDEL', KEYS[n * 4 - 1], id)
        end
        redis.call('ZREM', retries, id)
      end
    end
  end
  taken[n] = entries
end
return taken
`,
  (reply) =>
    parseList(reply, 'take-due-entries').map((entries) =>
      parseEntries(entries, 'take-due-entries'),
    ),
);
