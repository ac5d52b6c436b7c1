import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Sets a group to another place in its stream.
 *
 * KEYS   1 stream, 2 position (string), 3 made blindly (string), 4 ledger (ZSET), 5 packed ledger (HASH)
 * ARGV   1 group, 2 after which entry it goes on: an entry ID, '0' or '$', 3 '1' to empty the ledger
 * result the entry ID after which it goes on
 * atomic because a group that vanished in between would be made again where it was before, and what it meets again before the
 *        ledger is emptied would not be run.
 * twice  the same, but with '$' what was published in between is skipped too: so it is sent where nothing is resent.
 *
 * The position comes first: where Redis is out of memory, nothing after it has happened.
 */
export const resetGroupScript = new Script(
  `
local group, to = ARGV[1], ARGV[2]
local there = false
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #row, 2 do
    if row[i] == 'name' and row[i + 1] == group then there = true end
  end
end
if not there then return redis.error_reply('NOGROUP there is no such group') end
if to == '0' then to = '0-0' end
if to == '$' then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then to = info[i + 1] end
  end
end
redis.call('SET', KEYS[2], to)
redis.call('XGROUP', 'SETID', KEYS[1], group, to)
redis.call('DEL', KEYS[3])
if ARGV[3] == '1' then redis.call('UNLINK', KEYS[4], KEYS[5]) end
return to
`,
  (reply) => parseText(reply, 'reset-group'),
);
