import { parseList } from '../../read/replies.js';
import { Script } from '../script.js';
import { ENTRY_ORDER } from './entry-order.lua.js';
import { MEMBERS } from '../admin/members.lua.js';

/**
 * Says which of many streams need a look: those whose group is not there, or was made too far on by a member that could not
 * know where it had been, or has entries that nobody has moved for long. To see to them are other scripts, with more keys for
 * each stream: most often there is none. It also says that the caller is an alive member of each group.
 *
 * KEYS   for each stream: its key, where its group was made blindly (string), members (ZSET), versions (HASH)
 * ARGV   1 group, 2 for how long nobody has moved an entry, ms, 3 consumer, 4 for how long it counts as alive, ms, 5 its
 *        version, then for each stream the highest entry ID that the caller knows to be given out, or '' where it knows of
 *        none, and '1' where its row is here, or ''
 * result the numbers of those streams, the first being 0
 * atomic because the two parts of a member's row belong together.
 * twice  the same, of another moment.
 */
export const unattendedStreamsScript = new Script(
  `${ENTRY_ORDER}${MEMBERS}
local unattended = {}
local sayAlive = sayingAlive(ARGV[3], tonumber(ARGV[4]), ARGV[5], true)
for n = 1, #KEYS / 4 do
  local stream, madeBlindly, members, versions = KEYS[4 * n - 3], KEYS[4 * n - 2], KEYS[4 * n - 1], KEYS[4 * n]
  local idle = redis.pcall('XPENDING', stream, ARGV[1], 'IDLE', ARGV[2], '-', '+', 1)
  local blind, known = redis.call('GET', madeBlindly), ARGV[4 + 2 * n]
  if idle.err or #idle > 0 or blind and known ~= '' and after(blind, known) then unattended[#unattended + 1] = n - 1 end
  -- A record that cannot be written harms no other stream.
  if ARGV[5 + 2 * n] == '1' then pcall(sayAlive, members, versions) end
end
return unattended
`,
  (reply) => parseList(reply, 'unattended-streams').map(Number),
);
