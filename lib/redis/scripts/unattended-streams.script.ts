import { parseList } from '../replies.js';
import { Script } from '../script.js';
import { ENTRY_ORDER } from './entry-order.lua.js';

/**
 * Says which of many streams need a look: those whose group is not there, or was made too far on by a member that could not
 * know where it had been, or has entries that nobody has moved for long. To see to them are other scripts, with more keys for
 * each stream: most often there is none.
 *
 * KEYS   for each stream: its key, and where its group was made blindly (string)
 * ARGV   1 group, 2 for how long nobody has moved an entry, ms, then for each stream the highest entry ID that the caller
 *        knows to be given out, or '' where it knows of none
 * result the numbers of those streams, the first being 0
 * atomic it only looks.
 * twice  the same, of another moment.
 */
export const unattendedStreamsScript = new Script(
  `${ENTRY_ORDER}
local unattended = {}
for n = 1, #KEYS / 2 do
  local idle = redis.pcall('XPENDING', KEYS[2 * n - 1], ARGV[1], 'IDLE', ARGV[2], '-', '+', 1)
  local blind, known = redis.call('GET', KEYS[2 * n]), ARGV[2 + n]
  if idle.err or #idle > 0 or blind and known ~= '' and after(blind, known) then unattended[#unattended + 1] = n - 1 end
end
return unattended
`,
  (reply) => parseList(reply, 'unattended-streams').map(Number),
);
