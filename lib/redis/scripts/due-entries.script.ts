import { parseEntries, parseList } from '../replies.js';
import { Script } from '../script.js';

/**
 * Takes what is due in all streams of a consumer: entries that waited for a time, of whichever member they are.
 *
 * KEYS   for each stream: the stream, its retries (ZSET)
 * ARGV   1 group, 2 consumer, then for each stream: how many it may take
 * result for each stream a list of entries [id, fields], with nil for the fields of one that was deleted
 * atomic because two members that both see an entry as due would both run it.
 * twice  what the first took is pending for the consumer; it finds it there after the reconnect that caused it.
 */
export const dueEntriesScript = new Script(
  `
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local group, consumer = ARGV[1], ARGV[2]
local taken = {}
for n = 1, #KEYS / 2 do
  local stream, retries, limit = KEYS[n * 2 - 1], KEYS[n * 2], ARGV[n + 2]
  local entries = {}
  if limit ~= '0' then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', retries, '-inf', now, 'LIMIT', 0, limit)) do
      local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
      if pending.err == nil and #pending > 0 then
        local entry = redis.call('XRANGE', stream, id, id)[1]
        redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
        entries[#entries + 1] = { id, entry and entry[2] or false }
      end
      redis.call('ZREM', retries, id)
    end
  end
  taken[n] = entries
end
return taken
`,
  (reply) => parseList(reply, 'due-entries').map((entries) => parseEntries(entries, 'due-entries')),
);
