import { parseCount } from '../../read/replies.js';
import { MEMBERS } from '../members.lua.js';
import { evenIfFull, INFO_OF, Script } from '../script.js';

/**
 * Removes a consumer that has nothing pending: one that leaves, or one that is dead.
 *
 * KEYS   1 stream, 2 members (ZSET), 3 versions (HASH), 4 the last member has left (string)
 * ARGV   1 group, 2 consumer, 3 how long it must be idle, ms; 0 if it leaves: then it is no member any more, even if it still
 *        has pending entries
 * result 1 if it is gone, 0 if it has pending entries, or has been active, or is alive
 * atomic because Redis drops the pending entries of a consumer that it deletes, and one could arrive in between.
 * twice  the second time it is gone already.
 */
export const removeConsumerScript = new Script(
  `${MEMBERS}${INFO_OF}
${evenIfFull('KEYS[3]')}
if ARGV[3] == '0' then
  pcall(sayLeft, KEYS[2], KEYS[3], KEYS[4], ARGV[2])
elseif isAlive(KEYS[2], ARGV[2]) then
  return 0
end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if pending.err then return 1 end
if #pending > 0 then return 0 end
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local info = infoOf(row)
  if info['name'] == ARGV[2] and info['idle'] < tonumber(ARGV[3]) then return 0 end
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
`,
  (reply) => parseCount(reply, 'remove-consumer'),
);
