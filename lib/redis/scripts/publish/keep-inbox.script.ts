import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Makes a client's inbox where it is missing, has it last on, and drops what was read.
 *
 * KEYS   1 inbox (stream)
 * ARGV   1 how long it lasts from here on, in ms, 2 the lowest entry ID that was not read, or ''
 * result 1 where it was made by this call, else 0
 * atomic because an inbox that is made and not told to expire would stay for ever where the client dies.
 * twice  it is there already, and lasts as long; who made it is told so once.
 */
export const keepInboxScript = new Script(
  `
local made = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], '*', 'opened', '1')
  made = 1
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if ARGV[2] ~= '' then redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[2]) end
return made
`,
  (reply) => parseCount(reply, 'keep-inbox') === 1,
);
