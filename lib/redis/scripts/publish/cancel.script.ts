import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';
import { WAITING_ROW } from './published.lua.js';

/**
 * Cancels a delayed message.
 *
 * KEYS   1 delayed (ZSET), 2 delayed messages (HASH), 3 whether this call has cancelled it (string)
 * ARGV   1 message ID, 2 how long to remember the call, ms
 * result 1 if it waited and will not be published; 0 if it does not wait
 * atomic because it could be published between the check and its removal.
 * twice  KEYS[3] shows what the first call cancelled. A message that was sent with the same ID since then is left alone.
 *
 * The removal comes first: Redis allows it even if it is out of memory, and then allows the rest of the script too.
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
