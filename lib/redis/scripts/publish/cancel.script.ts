import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';
import { WAITING_ROW } from '../reserve/waiting-row.lua.js';

/**
 * Cancels a message that was to be published later.
 *
 * KEYS   1 delayed (ZSET), 2 what is to be published later (HASH), 3 whether this call has cancelled it (string)
 * ARGV   1 message ID, 2 how long to remember the call, in ms
 * result 1 where it waited, and will not be published; 0 where it does not wait
 * atomic because it could be published between the look at it and its removal.
 * twice  what the first one cancelled is known from KEYS[3], and a message that was brought under this ID since is left alone.
 *
 * The removal comes first: Redis does it also where it is out of memory, and then does the rest of the script too.
 */
export const cancelScript = new Script(
  `${WAITING_ROW}
if redis.call('EXISTS', KEYS[3]) == 1 then return 1 end
local row = waitingRow(KEYS[1], KEYS[2], ARGV[1])
if not row then return 0 end
redis.call('ZREM', KEYS[1], string.sub(row, 1, 16) .. ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
return 1
`,
  (reply) => parseCount(reply, 'cancel') === 1,
);
