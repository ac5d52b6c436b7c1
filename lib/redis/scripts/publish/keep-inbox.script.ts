import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Creates a client's inbox if it is missing, extends its expiry, and removes replies that were read.
 *
 * KEYS   1 inbox (stream)
 * ARGV   1 how long it lasts from now, ms, 2 the lowest entry ID that was not read, or ''
 * result 1 if this call created it, else 0
 * atomic because an inbox that is created without an expiry would stay for ever if the client dies.
 * twice  it exists already, and its expiry is extended again; only the first answer says that it was created.
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
