import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';
import { REDRIVE_MEMBER } from '../reserve/redrive-member.lua.js';

/**
 * Removes one step of the counted attempts that nobody will ask for again: of entries that are not pending any more, since
 * they were deleted or their group was, and of dead letters that are gone.
 *
 * KEYS   1 stream, 2 attempts (HASH), 3 dead letters (stream)
 * ARGV   1 group, 2 how many to look at, about, 3 where the scan goes on
 * result where the next scan goes on ('0': it is through)
 * atomic because an entry could become pending, and be counted, between the look at it and the removal.
 * twice  the second call looks at the same ones again.
 */
export const purgeAttemptsScript = new Script(
  `${REDRIVE_MEMBER}
local scan = redis.call('HSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[2])
for i = 1, #scan[2], 2 do
  local id = scan[2][i]
  local letter = letterOf(id)
  local found
  if letter then
    found = redis.pcall('XRANGE', KEYS[3], letter, letter)
  else
    found = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  end
  if found.err or #found == 0 then redis.call('HDEL', KEYS[2], id) end
end
return scan[1]
`,
  (reply) => parseText(reply, 'purge-attempts'),
);
