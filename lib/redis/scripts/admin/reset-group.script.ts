import { parseText } from '../../read/replies.js';
import { evenIfFull, INFO_OF, Script } from '../script.js';

/**
 * Sets a group to another position in its stream.
 *
 * KEYS   1 stream, 2 position (string), 3 made blindly (string), 4 ledger (ZSET), 5 packed ledger (HASH)
 * ARGV   1 group, 2 after which entry it continues: an entry ID, '0' or '$', 3 '1' to empty the ledger
 * result the entry ID after which it continues
 * atomic because a group that vanishes in between would be created again at its old position, and entries that it meets
 *        before the ledger is emptied would not run.
 * twice  the same, but '$' also skips what was published in between, so it is only sent on connections that resend nothing.
 *
 * The position is written first: if a command fails, what came before it stays.
 */
export const resetGroupScript = new Script(
  `${INFO_OF}
local group, to = ARGV[1], ARGV[2]
local there = false
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if infoOf(row)['name'] == group then there = true end
end
if not there then return redis.error_reply('NOGROUP there is no such group') end
${evenIfFull('KEYS[5]')}
if to == '0' then to = '0-0' end
if to == '$' then to = infoOf(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id'] end
redis.call('SET', KEYS[2], to)
redis.call('XGROUP', 'SETID', KEYS[1], group, to)
redis.call('DEL', KEYS[3])
if ARGV[3] == '1' then redis.call('UNLINK', KEYS[4], KEYS[5]) end
return to
`,
  (reply) => parseText(reply, 'reset-group'),
);
