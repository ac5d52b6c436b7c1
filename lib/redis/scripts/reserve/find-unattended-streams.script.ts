import { parseList } from '../../read/replies.js';
import { ENTRY_ID_IN, ENTRY_ORDER } from '../entry-ids.lua.js';
import { MEMBERS } from '../members.lua.js';
import { Script } from '../script.js';

/**
 * Finds which of many streams need attention: the group is missing, or was created too far ahead by a member that did not know
 * its position, or has entries that have been idle for too long. Other scripts with more keys per stream then take care of
 * these. Also records the caller as a living member of each group.
 *
 * KEYS   for each stream: its key, made blindly (string), members (ZSET), versions (HASH)
 * ARGV   1 group, 2 how long an entry must be idle, ms, 3 consumer, 4 how long it counts as alive, ms, 5 its version, then
 *        for each stream: the highest entry ID that the caller knows to have been delivered, or '', and '1' if its
 *        row is here, else ''
 * result the indexes of those streams, from 0
 * atomic because the two parts of a member's row belong together.
 * twice  it looks again.
 */
export const findUnattendedStreamsScript = new Script(
  `${ENTRY_ORDER}${ENTRY_ID_IN}${MEMBERS}
local unattended = {}
local sayAlive = sayingAlive(ARGV[3], tonumber(ARGV[4]), ARGV[5], true)
for n = 1, #KEYS / 4 do
  local stream, madeBlindly, members, versions = KEYS[4 * n - 3], KEYS[4 * n - 2], KEYS[4 * n - 1], KEYS[4 * n]
  local idle = redis.pcall('XPENDING', stream, ARGV[1], 'IDLE', ARGV[2], '-', '+', 1)
  local blind, known = entryIdIn(madeBlindly), ARGV[4 + 2 * n]
  if idle.err or #idle > 0 or blind and known ~= '' and after(blind, known) then unattended[#unattended + 1] = n - 1 end
  -- A record that cannot be written must not affect other streams.
  if ARGV[5 + 2 * n] == '1' then pcall(sayAlive, members, versions) end
end
return unattended
`,
  (reply) => parseList(reply, 'find-unattended-streams').map(Number),
);
